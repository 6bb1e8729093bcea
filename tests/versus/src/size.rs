//! The size of a benchmark.

use std::time::Duration;

use crate::contestant::Who;
use crate::toolchain::Toolchain;

/// Amount of work in each part.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Runs of each contestant in each row, in turns.
    pub runs: usize,
    /// Duration of each run.
    pub run: Duration,
    /// Duration of the warm-up before the runs of a contestant.
    pub warm_up: Duration,
    /// Time limit for an attacked host to come to rest before it is measured again.
    pub rest: Duration,
    /// Numbers of concurrent users who click as fast as they get their answers.
    pub concurrencies: &'static [usize],
    /// Numbers of connections to the platform, for every contestant.
    pub connections: &'static [usize],
    /// Numbers of connections to the platform, for Aviary alone.
    pub many_connections: &'static [usize],
    /// Numbers of plugins in the folder.
    pub plugins: &'static [usize],
    /// Sizes of a click in bytes.
    pub payloads: &'static [usize],
    /// Contestants that are compared over the webhook because of their language.
    pub(crate) interpreted: &'static [Who],
    /// Plugins of a host that starts with all code in its cache.
    pub started_plugins: usize,
    /// Toolchains of the plugins that are edited.
    pub(crate) edited: &'static [Toolchain],
    /// Plugins that wait, for the memory of calls under way.
    pub waiting_plugins: usize,
    /// Calls of each waiting plugin.
    pub calls_of_each: usize,
    /// Plugins beyond four whose memory is weighed.
    pub weighed_plugins: usize,
    /// Calls inside the engine, in each run.
    pub engine_calls: usize,
    /// Languages whose plugins are measured.
    pub languages: &'static [&'static str],
    /// Calls of each language's plugin, in each measurement.
    pub language_calls: u64,
}

/// Concurrent users in every comparison that is a ratio.
pub(crate) const CONCURRENCY: usize = 8;

impl Size {
    /// The size of the published figures.
    pub fn full() -> Self {
        Self {
            runs: 5,
            run: Duration::from_secs(3),
            warm_up: Duration::from_secs(3),
            // The longest time that a call may take.
            rest: Duration::from_secs(30),
            concurrencies: &[1, CONCURRENCY, 64],
            connections: &[1, 8],
            many_connections: &[1, 8, 10, 50],
            plugins: &[1, 10, 100, 500],
            payloads: &[1_000, 10_000, 100_000],
            interpreted: &[
                Who::AviaryQuickjs,
                Who::AviaryQuickjsReused,
                Who::Node,
                Who::AviaryPython,
                Who::AviaryPythonReused,
                Who::Python,
            ],
            started_plugins: 50,
            edited: &[
                Toolchain::Rust,
                Toolchain::Quickjs,
                Toolchain::Starlingmonkey,
                Toolchain::Python,
            ],
            // Ten percent fewer calls than three quarters of a host's 1000 places, which plugins with many calls share.
            waiting_plugins: 25,
            calls_of_each: 28,
            weighed_plugins: 20,
            engine_calls: 200_000,
            languages: &["rust", "typescript", "javascript", "python", "c", "go", "zig"],
            language_calls: 5_000,
        }
    }

    /// The size that every change has to pass: it shows that everything works, and never how fast.
    pub fn small() -> Self {
        Self {
            runs: 1,
            run: Duration::from_millis(100),
            warm_up: Duration::from_millis(50),
            rest: Duration::ZERO,
            concurrencies: &[CONCURRENCY],
            connections: &[8],
            many_connections: &[8, 50],
            // Compiling hundreds would take half a minute.
            plugins: &[1, 3],
            payloads: &[1_000, 100_000],
            // Python is left out: not every machine has its tools, and it takes fifteen seconds to compile.
            interpreted: &[Who::AviaryQuickjs, Who::AviaryQuickjsReused, Who::Node],
            started_plugins: 3,
            edited: &[Toolchain::Rust],
            waiting_plugins: 2,
            calls_of_each: 20,
            weighed_plugins: 1,
            engine_calls: 100,
            // The other languages are left out, because not every machine has their tools.
            languages: &["rust"],
            language_calls: 20,
        }
    }
}
