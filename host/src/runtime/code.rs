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

/// Where code was had from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSource {
    /// The compiler.
    Compiled,
    /// The disk.
    Cached,
    /// Another plugin is made of the same file, for example in the folder of another app.
    Shared,
}

impl CodeSource {
    /// As it stands in the log and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "compiled",
            Self::Cached => "cached",
            Self::Shared => "shared",
        }
    }
}

/// Code, linked. It is shared for as long as somebody has it.
pub struct Code {
    /// What makes others find it.
    pub(super) shared: Arc<SharedCode>,
    pub(super) linked: Linked,
    pub(super) machine: Arc<Machine>,
    /// Where the code was had from.
    pub source: CodeSource,
    /// From the contents of the file to linked code.
    pub took: Duration,
}

impl Code {
    /// The interfaces that it asks the host for.
    pub fn imports(&self) -> Vec<String> {
        self.linked.imports()
    }
}

/// The code of one file, and the machine that it is linked for.
pub(super) type SharedCode = OnceCell<(Linked, Arc<Machine>)>;
