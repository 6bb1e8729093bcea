//! `[guests]` of the configuration: threads, places and memory for guests and compilers.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;

/// `[guests]` of the configuration file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestsConfig {
    /// Threads that run guests, 1 to 256. They are separate from the I/O threads.
    pub threads: usize,
    /// Calls under way at once, 1 to 1000, over all plugins. Each has a place in the memory pool. A plugin takes at most as
    /// many as are still free, so that however many of them hang, there is room for the others.
    pub max_calls: u32,
    /// Callbacks that may wait for a place, 1 to 100000, over all apps. A callback that would wait for too long is answered at
    /// once, so this limits memory only. A click replaces a waiting link preview or event.
    pub max_waiting: u32,
    /// Memory of all guests together, in bytes. A call that needs more is answered as overload.
    pub memory_bytes: usize,
    /// Threads that compile one plugin, 1 to 64. They are in a process of their own, with a lower priority than the threads
    /// that do I/O and run guests.
    pub compile_threads: usize,
    /// Memory that compiling one plugin may take, in bytes. One long and three short compilations may run at once, so up to
    /// four times as much is in use.
    pub compile_memory_bytes: u64,
    /// Processor time that compiling one plugin may take, 1 to 86400 seconds, all threads together.
    pub compile_secs: u64,
    /// Seconds that a start waits for plugins before the doors open without them, 0 to 3600.
    pub start_wait_secs: u64,
}

/// Even a small machine can spare this for some minutes; mimalloc takes some of it without using it. Four times what a module
/// of 900 kB needs whose compilation takes seconds.
const COMPILE_MEMORY_BYTES: u64 = 2 << 30;
/// A compiler with less cannot start and answer.
const LEAST_COMPILE_MEMORY_BYTES: u64 = 64 << 20;
/// Five times what StarlingMonkey takes when it is not cached, for slower machines.
const COMPILE_SECS: u64 = 120;
/// As long as the largest runtime takes on one core when it is not cached. A restart finds it cached and takes a second.
const START_WAIT_SECS: u64 = 30;

impl Default for GuestsConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            threads: cores,
            max_calls: 128,
            max_waiting: 1024,
            memory_bytes: 2 << 30,
            compile_threads: cores.div_ceil(2),
            compile_memory_bytes: COMPILE_MEMORY_BYTES,
            compile_secs: COMPILE_SECS,
            start_wait_secs: START_WAIT_SECS,
        }
    }
}

impl GuestsConfig {
    /// Checks that the numbers are in range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("guests");
        section.in_range("threads", self.threads, 1..=256)?;
        section.in_range("max_calls", self.max_calls, 1..=1000)?;
        section.in_range("max_waiting", self.max_waiting, 1..=100_000)?;
        section.in_range("memory_bytes", self.memory_bytes, 1..=usize::MAX)?;
        section.in_range("compile_threads", self.compile_threads, 1..=64)?;
        section.in_range("compile_secs", self.compile_secs, 1..=86_400)?;
        // Not waiting at all is a valid choice.
        section.in_range("start_wait_secs", self.start_wait_secs, 0..=3600)?;
        section
            .at_least("compile_memory_bytes", self.compile_memory_bytes, LEAST_COMPILE_MEMORY_BYTES)
            .map_err(|error| {
                let problem = format!("{}, with which no compiler can begin", error.problem);
                SettingError::new(error.key, problem)
            })
    }

    /// Returns the longest time that a start waits for plugins.
    pub fn start_wait(&self) -> Duration {
        Duration::from_secs(self.start_wait_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_on_compilers_are_checked() {
        let refused = |text: &str| {
            toml::from_str::<GuestsConfig>(text).unwrap().validate().unwrap_err().to_string()
        };
        assert!(refused("compile_secs = 0").contains("guests.compile_secs: 0 is not between 1"));
        assert!(refused("start_wait_secs = 3601").contains("guests.start_wait_secs: 3601"));
        let small = refused("compile_memory_bytes = 1000");
        assert!(small.contains("guests.compile_memory_bytes: 1000 is less than 67108864"));
        GuestsConfig { start_wait_secs: 0, ..GuestsConfig::default() }.validate().unwrap();
    }
}
