//! The published Python and Node SDKs as referees nobody here wrote: what they accept is what the simulator may send,
//! and what they do is what the host is compared with. Their scripts are in `tests/referees/`.

pub mod install;
pub mod process;

use std::path::PathBuf;

use crate::artifacts;

/// Which SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// `lark-oapi` from PyPI.
    Python,
    /// `@larksuiteoapi/node-sdk` from npm.
    Node,
}

impl Sdk {
    /// Its folder, and its name in `AVIARY_E2E_SKIP`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    /// Where its pins are, and the script that makes a referee of it.
    fn source(self) -> PathBuf {
        artifacts::source_root().join("tests/referees").join(self.name())
    }
}
