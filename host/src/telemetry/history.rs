//! The last hour in memory: figures for all callbacks and for each plugin, and the latest callbacks themselves.
//!
//! The answering thread writes it under a lock that is held for a moment, so that it needs no thread and wakes none; figures
//! are computed only when they are read.

mod histogram;
pub mod recent;
pub mod window;

use std::sync::Arc;

use aviary_state::Bounded;
use aviary_state::Latest;
use aviary_state::Mutex;
use tokio::time::Instant;

use crate::record::CallbackRecord;
use crate::telemetry::history::recent::Recent;
use crate::telemetry::history::window::Figures;
use crate::telemetry::history::window::Sample;
use crate::telemetry::history::window::Window;
use crate::telemetry::history::window::WindowMoment;

/// Number of latest callbacks that are kept, and of latest failed ones, which would otherwise be gone in a blink on a busy
/// host.
const MOST_RECENT: usize = 100;
/// Plugins with figures of their own. One takes 40 KB if it is called in every half minute, and next to nothing if it is not;
/// beyond this number, the plugin whose last call is the longest ago is dropped.
const MOST_FOLLOWED: usize = 512;

/// Figures and latest callbacks of the last hour.
#[derive(Debug)]
pub struct History {
    began: Instant,
    state: Mutex<HistoryState>,
}

#[derive(Debug)]
struct HistoryState {
    all: Window,
    /// A lock for each plugin, because summing up an hour takes a while and no callback may wait for that.
    plugins: Bounded<HistoryKey, Arc<Mutex<Window>>>,
    latest: Latest<(u64, Arc<Recent>)>,
    failed: Latest<(u64, Arc<Recent>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct HistoryKey {
    app: Arc<str>,
    plugin: Arc<str>,
}

impl Default for HistoryState {
    fn default() -> Self {
        let (latest, failed) = (Latest::new(MOST_RECENT), Latest::new(MOST_RECENT));
        let plugins = Bounded::new(MOST_FOLLOWED);
        Self { all: Window::default(), plugins, latest, failed }
    }
}

impl History {
    /// Begins an empty history.
    pub fn beginning() -> Self {
        Self { began: Instant::now(), state: Mutex::default() }
    }

    /// Adds a callback that has its answer.
    pub(super) fn note(&self, record: &CallbackRecord) {
        let recent = Arc::new(Recent::of(record));
        let sample = Sample { outcome: record.outcome, took: record.elapsed, fuel: record.fuel };
        let now = WindowMoment::at(recent.at, self.began);
        let mut state = self.state.lock();
        let number = state.latest.count() + 1;
        let failed = record.outcome.is_failure();
        // Dropped after the lock is released.
        let gone = (
            state.latest.push((number, Arc::clone(&recent))),
            failed.then(|| state.failed.push((number, recent))),
        );
        state.all.add(now, sample);
        let followed = record.plugin.as_ref().map(|plugin| {
            let (app, plugin) = (Arc::clone(&record.app), Arc::clone(&plugin.name));
            Arc::clone(state.plugins.renew(HistoryKey { app, plugin }, Arc::default))
        });
        drop(state);
        if let Some(window) = followed {
            window.lock().add(now, sample);
        }
        drop(gone);
    }

    /// Returns the figures of all callbacks of the last hour.
    pub fn all(&self) -> Figures {
        self.state.lock().all.figures(self.now())
    }

    /// Returns the figures of one plugin, for all its versions; `None` if it was not called.
    pub fn of_plugin(&self, app: &str, plugin: &str) -> Option<Figures> {
        let name = HistoryKey { app: app.into(), plugin: plugin.into() };
        let window = self.state.lock().plugins.get(&name).map(Arc::clone)?;
        let figures = window.lock().figures(self.now());
        Some(figures)
    }

    /// Returns the latest callbacks, and the latest failed ones, with a number above `after`, oldest first.
    pub fn recent(&self, after: u64) -> Vec<(u64, Arc<Recent>)> {
        let state = self.state.lock();
        let both = state.failed.iter().chain(state.latest.iter());
        let mut recent: Vec<_> = both.filter(|(number, _)| *number > after).cloned().collect();
        drop(state);
        recent.sort_unstable_by_key(|(number, _)| *number);
        recent.dedup_by_key(|(number, _)| *number);
        recent
    }

    fn now(&self) -> WindowMoment {
        WindowMoment::at(Instant::now(), self.began)
    }
}

#[cfg(test)]
mod tests;
