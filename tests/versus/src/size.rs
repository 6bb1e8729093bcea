//! How much is run.

use std::time::Duration;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Of each contestant in each row, in turns.
    pub runs: usize,
    /// Each.
    pub run: Duration,
    /// Before them, for everybody.
    pub warm_up: Duration,
    /// How long a host that was attacked may take to come to rest before it is measured again.
    pub rest: Duration,
    /// Users at once who click as fast as they get their answers.
    pub concurrencies: &'static [usize],
    /// Connections to the platform, for everybody.
    pub connections: &'static [usize],
    /// Connections to the platform, for Aviary alone.
    pub many_connections: &'static [usize],
    /// Plugins in the folder.
    pub plugins: &'static [usize],
    /// Bytes of a click.
    pub payloads: &'static [usize],
    /// Plugins beyond four whose memory is weighed.
    pub weighed_plugins: usize,
    /// Calls inside the engine, in each run.
    pub engine_calls: usize,
    /// Languages whose plugins are measured.
    pub languages: &'static [&'static str],
    /// Calls of each of them, in each measurement.
    pub language_calls: u64,
}

/// Users at once in every comparison that is a ratio.
pub(crate) const CONCURRENCY: usize = 8;

impl Size {
    /// What the README says.
    pub fn full() -> Self {
        Self {
            runs: 5,
            run: Duration::from_secs(3),
            warm_up: Duration::from_secs(3),
            // As long as a call may go on.
            rest: Duration::from_secs(30),
            concurrencies: &[1, CONCURRENCY, 64],
            connections: &[1, 8],
            many_connections: &[1, 8, 10, 50],
            plugins: &[1, 10, 100, 500],
            payloads: &[1_000, 10_000, 100_000],
            weighed_plugins: 20,
            engine_calls: 200_000,
            languages: &["rust", "typescript", "javascript", "python", "c", "go", "zig"],
            language_calls: 5_000,
        }
    }

    /// What every change has to bear: whether all of it works, and never how fast.
    pub fn small() -> Self {
        Self {
            runs: 1,
            run: Duration::from_millis(100),
            warm_up: Duration::from_millis(50),
            rest: Duration::ZERO,
            concurrencies: &[CONCURRENCY],
            connections: &[8],
            many_connections: &[8, 50],
            // Hundreds would be compiled for half a minute.
            plugins: &[1, 3],
            payloads: &[1_000, 100_000],
            weighed_plugins: 1,
            engine_calls: 100,
            // The others differ by what is installed for them.
            languages: &["rust"],
            language_calls: 20,
        }
    }
}
