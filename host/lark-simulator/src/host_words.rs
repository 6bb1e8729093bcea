//! What a host in the same process says of itself, kept for the page. Without such a host there is nothing.

use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use serde::Serialize;
use serde_json::Value;

use crate::changes::Changes;

/// Callbacks that a host's words are kept for.
const MAX_TOLD: usize = 256;
/// The line about a callback follows its answer at once.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

/// Kept, and a bell for those who wait for it.
pub(crate) struct HostWords {
    told: Mutex<Told>,
    changes: Changes,
}

struct Told {
    surroundings: Option<Surroundings>,
    build: Option<Build>,
    /// What was said of each callback, by event id.
    callbacks: Bounded<String, Value>,
    shown: Shown,
}

impl Default for Told {
    fn default() -> Self {
        let (callbacks, shown) = (Bounded::new(MAX_TOLD), Shown::default());
        Self { surroundings: None, build: None, callbacks, shown }
    }
}

/// What the page shows of a host beside its answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Surroundings {
    /// Where its webhook is.
    pub webhook: String,
    /// What is in its folder, as its admin port says.
    pub plugins: Value,
}

/// How far the plugin is whose source is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Build {
    /// It is being built.
    Running {
        /// By this command.
        command: String,
    },
    /// There is no new version.
    Failed {
        /// Why.
        why: String,
        /// What its tools have said about it.
        said: String,
    },
    /// What was built is live.
    Live {
        /// Milliseconds that its commands took.
        took_ms: u64,
    },
}

/// Callbacks that a program has sent together, and not somebody on the page. Those before them are of no interest any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// How often there were any, so that a page knows whether it has seen these.
    pub(super) times: u64,
    /// `{"name", "exchange"}` each.
    pub(super) callbacks: Vec<Value>,
}

impl HostWords {
    pub(crate) fn new(changes: Changes) -> Self {
        Self { told: Mutex::default(), changes }
    }

    pub(crate) fn surroundings(&self) -> Option<Surroundings> {
        self.told.lock().surroundings.clone()
    }

    pub(crate) fn tell_surroundings(&self, surroundings: Surroundings) {
        {
            let known = &mut self.told.lock().surroundings;
            // It is told again and again.
            if known.as_ref() == Some(&surroundings) {
                return;
            }
            *known = Some(surroundings);
        }
        self.changes.ring();
    }

    pub(super) fn build(&self) -> Option<Build> {
        self.told.lock().build.clone()
    }

    pub(crate) fn tell_build(&self, build: Build) {
        self.told.lock().build = Some(build);
        self.changes.ring();
    }

    pub(crate) fn tell_of_callback(&self, event_id: String, words: Value) {
        self.told.lock().callbacks.insert(event_id, words);
        self.changes.ring();
    }

    /// What the host says of that callback, as soon as it does; none if there is no host here, or it says nothing.
    pub(crate) async fn of(&self, event_id: &str) -> Option<Value> {
        let mut changes = self.changes.subscribe();
        let found = async {
            loop {
                {
                    let told = self.told.lock();
                    told.surroundings.as_ref()?;
                    if let Some(words) = told.callbacks.get(event_id) {
                        return Some(words.clone());
                    }
                }
                changes.seen().await;
            }
        };
        tokio::time::timeout(TOLD_WITHIN, found).await.ok().flatten()
    }

    pub(crate) fn show(&self, callbacks: Vec<Value>) {
        {
            let shown = &mut self.told.lock().shown;
            *shown = Shown { times: shown.times + 1, callbacks };
        }
        self.changes.ring();
    }

    pub(super) fn shown(&self) -> Shown {
        self.told.lock().shown.clone()
    }
}
