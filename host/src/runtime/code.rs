//! The code of a file, linked for one machine.

pub mod wasm;
pub mod file_kind;
pub mod linked;
pub(in crate::runtime) mod link;
pub(in crate::runtime) mod runnable;
pub mod loader;
pub mod imports;
pub mod compile_error;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::runtime::code::linked::Linked;
use crate::runtime::machine::Machine;

/// The origin of a plugin's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSource {
    /// The compiler made it.
    Compiled,
    /// The code was read from the code cache.
    Cached,
    /// Another plugin with the same file had loaded it, for example in the folder of another app.
    Shared,
}

impl CodeSource {
    /// Returns the word for the log and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "compiled",
            Self::Cached => "cached",
            Self::Shared => "shared",
        }
    }
}

/// Linked code. It is shared with other plugins of the same file as long as one of them holds it.
pub struct Code {
    /// Lets other plugins of the same file find the code.
    pub(super) shared: Arc<SharedCode>,
    pub(super) linked: Linked,
    pub(super) machine: Arc<Machine>,
    /// The origin of the code.
    pub source: CodeSource,
    /// The time from the file's contents to linked code.
    pub took: Duration,
}

impl Code {
    /// Returns the names of the imported interfaces.
    pub fn imports(&self) -> Vec<String> {
        self.linked.imports()
    }
}

/// The code of one file, with the machine that it is linked for.
pub(super) type SharedCode = OnceCell<(Linked, Arc<Machine>)>;
