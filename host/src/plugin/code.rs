//! The code of a file, linked for one machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::plugin::linked::Linked;
use crate::plugin::machine::Machine;

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
    pub(super) shared: Arc<Shared>,
    pub(super) linked: Linked,
    pub(super) machine: Arc<Machine>,
    pub(super) source: CodeSource,
    /// From the contents of the file to linked code.
    pub(super) took: Duration,
}

/// The code of one file, and the machine that it is linked for.
pub(super) type Shared = OnceCell<(Linked, Arc<Machine>)>;
