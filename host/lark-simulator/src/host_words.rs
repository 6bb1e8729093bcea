//! Reports of a host in the same process about itself, kept for the page. Without such a host there are none.

use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use serde::Serialize;
use serde_json::Value;

use crate::changes::Changes;

/// Most callbacks whose records are kept.
const MAX_TOLD: usize = 256;
/// Time in which the record of a callback has to follow its answer.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

/// The host's reports, with a notification for those who wait for one.
pub(crate) struct HostWords {
    told: Mutex<Told>,
    changes: Changes,
}

struct Told {
    surroundings: Option<Surroundings>,
    build: Option<Build>,
    /// Record of each callback, by event id.
    callbacks: Bounded<String, Value>,
    shown: Shown,
}

impl Default for Told {
    fn default() -> Self {
        let (callbacks, shown) = (Bounded::new(MAX_TOLD), Shown::default());
        Self { surroundings: None, build: None, callbacks, shown }
    }
}

/// Facts about a host that the page shows beside its answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Surroundings {
    /// Address of its webhook.
    pub webhook: String,
    /// List of the plugins in its folder, as on its admin port.
    pub plugins: Value,
}

/// Progress of the plugin whose source is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Build {
    /// The plugin is being built.
    Running {
        /// The command that runs now.
        command: String,
    },
    /// The build or the new version failed.
    Failed {
        /// Reason of the failure.
        why: String,
        /// Output of the plugin's tools.
        said: String,
    },
    /// The new version is live.
    Live {
        /// Milliseconds from the first command until the version was live.
        took_ms: u64,
    },
}

/// Callbacks that a program has sent together, and not somebody on the page. They replace those before them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Number of such groups so far, so that a page knows whether it has seen this one.
    pub(super) times: u64,
    /// A list of `{"name", "exchange"}` objects.
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
            // The same facts are reported again and again.
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

    /// Waits for the host's record of that callback. `None` if there is no host here, or it does not report in time.
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
