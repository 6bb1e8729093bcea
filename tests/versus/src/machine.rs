//! Where and when something was measured.

use std::process::Command;

use serde::Serialize;

use crate::cores::Cores;

/// What the reader of a figure wants to know about the machine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: String,
    /// Processes that wanted a core in the minute before, as the system says: more than a few, and others were at work.
    pub(crate) load_before: String,
}

impl Machine {
    pub(crate) fn look(cores: Cores) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo").lines().find_map(|line| {
            Some(line.strip_prefix("model name")?.trim_start_matches([' ', '\t', ':']).to_owned())
        });
        let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
        Self {
            date: today(),
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: cores.words(),
            load_before: load,
        }
    }
}

/// As the system writes it; the standard library has no calendar.
fn today() -> String {
    let said = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    said.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
