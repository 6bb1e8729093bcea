//! A headless Chromium that comes by npm, for pages that people use. It is installed into the build folder.

use std::path::PathBuf;

use crate::artifacts;
use crate::referee::install::npm;

/// A browser, and the script of a person who uses it.
pub struct Browser {
    /// Where the packages are.
    pub folder: PathBuf,
    /// Where the pins are.
    pub source: PathBuf,
    /// What the person does.
    pub script: PathBuf,
}

/// Installs it unless it is there.
pub fn installed() -> anyhow::Result<Browser> {
    let source = artifacts::source_root().join("tests/browser");
    let folder = artifacts::target_folder()?.join("browser");
    npm(&source, &folder)?;
    let script = source.join("playground.js");
    Ok(Browser { folder, source, script })
}
