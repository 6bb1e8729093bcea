//! The published Python and Node SDKs as independent referees: the simulator may send what they accept, and the host is compared
//! with what they do. Their scripts are in `tests/referees/`.

pub mod install;
pub mod process;

use std::path::PathBuf;

use crate::artifacts;

/// An official SDK that is compared with the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// The package `lark-oapi` from PyPI.
    Python,
    /// The package `@larksuiteoapi/node-sdk` from npm.
    Node,
}

impl Sdk {
    /// Returns its folder, which is also its name in `AVIARY_E2E_SKIP`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    /// Returns the folder with the pinned versions and the script that runs the SDK.
    fn source(self) -> PathBuf {
        artifacts::source_root().join("tests/referees").join(self.name())
    }
}
