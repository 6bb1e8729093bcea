//! Opens a page where there is a browser for it. The address is printed as well, so that a missing browser does no harm.

use std::process::Command;
use std::process::Stdio;

/// Opens the page, and ignores failures.
pub fn open(page: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let _ = Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}
