//! What happened in the last hour, in memory: figures for all callbacks and for each plugin, and the latest callbacks themselves.
//!
//! Whoever answers writes it, under a lock that is held for a moment, so that it takes no thread and wakes nobody; it is made
//! something of only when somebody looks.

mod histogram;
pub mod recent;
pub mod window;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

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

#[derive(Debug, Default)]
struct State {
    all: Window,
    plugins: HashMap<Name, Followed>,
    latest: Ring,
    failed: Ring,
    next: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    app: Arc<str>,
    plugin: Arc<str>,
}

/// A lock of its own: to sum up an hour takes a while, and no callback shall wait for it.
#[derive(Debug)]
struct Followed {
    called: Moment,
    window: Arc<Mutex<Window>>,
}

#[derive(Debug, Default)]
struct Ring(VecDeque<(u64, Arc<Recent>)>);

impl Ring {
    /// What has no place any more is given back, to be dropped where nobody waits.
    fn push(&mut self, number: u64, recent: &Arc<Recent>) -> Option<(u64, Arc<Recent>)> {
        let oldest = if self.0.len() == MOST_RECENT { self.0.pop_front() } else { None };
        self.0.push_back((number, Arc::clone(recent)));
        oldest
    }
}

impl State {
    fn follow(&mut self, name: Name, now: Moment) -> Arc<Mutex<Window>> {
        if self.plugins.len() == MOST_FOLLOWED && !self.plugins.contains_key(&name) {
            let oldest = self.plugins.iter().min_by_key(|(_, followed)| followed.called);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.plugins.remove(&name);
            }
        }
        let new = || Followed { called: now, window: Arc::default() };
        let followed = self.plugins.entry(name).or_insert_with(new);
        followed.called = now;
        Arc::clone(&followed.window)
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
        let mut state = lock(&self.state);
        state.next += 1;
        let number = state.next;
        let failed = record.outcome.is_failure();
        let gone = (
            state.latest.push(number, &recent),
            failed.then(|| state.failed.push(number, &recent)),
        );
        state.all.add(now, sample);
        let followed = record.plugin.as_ref().map(|plugin| {
            let (app, plugin) = (Arc::clone(&record.app), Arc::clone(&plugin.name));
            state.follow(Name { app, plugin }, now)
        });
        drop(state);
        if let Some(window) = followed {
            lock(&window).add(now, sample);
        }
        drop(gone);
    }

    /// All callbacks of the last hour.
    pub fn all(&self) -> Figures {
        lock(&self.state).all.figures(self.now())
    }

    /// Those of one plugin, whatever its version.
    pub fn of_plugin(&self, app: &str, plugin: &str) -> Option<Figures> {
        let name = Name { app: app.into(), plugin: plugin.into() };
        let window = lock(&self.state).plugins.get(&name).map(|one| Arc::clone(&one.window))?;
        let figures = lock(&window).figures(self.now());
        Some(figures)
    }

    /// The latest callbacks after that number, and the latest that failed, oldest first.
    pub fn recent(&self, after: u64) -> Vec<(u64, Arc<Recent>)> {
        let state = lock(&self.state);
        let both = state.failed.0.iter().chain(&state.latest.0);
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

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
