//! Place and time of a measurement.

use std::process::Command;

use serde::Serialize;

use crate::cores::Cores;

/// Properties of the machine that a reader of the figures needs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: String,
    /// Load average of the minute before: more than a few, and other work disturbed the measurement.
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

/// Returns the date as the program `date` prints it; the standard library has no calendar.
fn today() -> String {
    let said = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    said.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
