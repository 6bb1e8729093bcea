//! A page, opened where there is a browser for it. Its address is printed as well, so it does no harm if there is none.

use std::process::Command;
use std::process::Stdio;

/// Opens it.
pub fn open(page: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let _ = Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}
