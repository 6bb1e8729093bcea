//! What happened in the last hour, in memory: figures for all callbacks and for each plugin, and the latest callbacks themselves.
//!
//! Whoever answers writes it, under a lock that is held for a moment, so that it takes no thread and wakes nobody; it is made
//! something of only when somebody looks.

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
use crate::telemetry::history::window::Moment;
use crate::telemetry::history::window::Sample;
use crate::telemetry::history::window::Window;

/// The latest callbacks that are kept, and the latest of those that failed: on a busy host the former are over in a blink.
const MOST_RECENT: usize = 100;
/// Plugins with figures of their own. One takes 40 KB if it is called in every half minute, and next to nothing if it is not;
/// beyond so many, the one that was called last the longest ago goes.
const MOST_FOLLOWED: usize = 512;

/// See the module.
#[derive(Debug)]
pub struct History {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    all: Window,
    /// A lock for each plugin: to sum up an hour takes a while, and no callback shall wait for it.
    plugins: Bounded<Name, Arc<Mutex<Window>>>,
    latest: Latest<(u64, Arc<Recent>)>,
    failed: Latest<(u64, Arc<Recent>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    app: Arc<str>,
    plugin: Arc<str>,
}

impl Default for State {
    fn default() -> Self {
        let (latest, failed) = (Latest::new(MOST_RECENT), Latest::new(MOST_RECENT));
        let plugins = Bounded::new(MOST_FOLLOWED);
        Self { all: Window::default(), plugins, latest, failed }
    }
}

impl History {
    /// From now on.
    pub fn beginning() -> Self {
        Self { began: Instant::now(), state: Mutex::default() }
    }

    /// A callback has its answer.
    pub(super) fn note(&self, record: &CallbackRecord) {
        let recent = Arc::new(Recent::of(record));
        let sample = Sample { outcome: record.outcome, took: record.elapsed, fuel: record.fuel };
        let now = Moment::at(recent.at, self.began);
        let mut state = self.state.lock();
        let number = state.latest.count() + 1;
        let failed = record.outcome.is_failure();
        // Dropped after the lock was given back.
        let gone = (
            state.latest.push((number, Arc::clone(&recent))),
            failed.then(|| state.failed.push((number, recent))),
        );
        state.all.add(now, sample);
        let followed = record.plugin.as_ref().map(|plugin| {
            let (app, plugin) = (Arc::clone(&record.app), Arc::clone(&plugin.name));
            Arc::clone(state.plugins.renew(Name { app, plugin }, Arc::default))
        });
        drop(state);
        if let Some(window) = followed {
            window.lock().add(now, sample);
        }
        drop(gone);
    }

    /// All callbacks of the last hour.
    pub fn all(&self) -> Figures {
        self.state.lock().all.figures(self.now())
    }

    /// Those of one plugin, whatever its version.
    pub fn of_plugin(&self, app: &str, plugin: &str) -> Option<Figures> {
        let name = Name { app: app.into(), plugin: plugin.into() };
        let window = self.state.lock().plugins.get(&name).map(Arc::clone)?;
        let figures = window.lock().figures(self.now());
        Some(figures)
    }

    /// The latest callbacks after that number, and the latest that failed, oldest first.
    pub fn recent(&self, after: u64) -> Vec<(u64, Arc<Recent>)> {
        let state = self.state.lock();
        let both = state.failed.iter().chain(state.latest.iter());
        let mut recent: Vec<_> = both.filter(|(number, _)| *number > after).cloned().collect();
        drop(state);
        recent.sort_unstable_by_key(|(number, _)| *number);
        recent.dedup_by_key(|(number, _)| *number);
        recent
    }

    fn now(&self) -> Moment {
        Moment::at(Instant::now(), self.began)
    }
}

#[cfg(test)]
mod tests;
