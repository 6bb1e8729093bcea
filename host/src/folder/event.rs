//! Changes in a plugins folder, announced to the log and to followers as they happen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::folder::log;
use crate::plugin::loaded::Plugin;
use crate::plugin::rehearsed::Rehearsed;
use crate::runtime::code::CodeSource;

/// Events that are kept for a slow follower; beyond that it loses the oldest. Followers are screens for people, who can also
/// read the folder's report.
const MAX_BEHIND: usize = 256;

/// A change of one plugin in a folder. The folder's snapshot and report show the change before it is announced.
#[derive(Clone, Debug)]
pub struct FolderEvent {
    pub plugin: Arc<str>,
    pub change: FolderChange,
}

/// A change of a plugin.
#[derive(Clone, Debug)]
pub enum FolderChange {
    /// A version answers callbacks.
    Live(LiveVersion),
    /// The version in the file does not go live.
    Refused {
        /// The reason for the refusal.
        reason: String,
        /// The version that stays live.
        still_live: Option<Arc<str>>,
    },
    /// The file was written again with the contents that it had before, or with those of the live version.
    Unchanged,
    /// The file was deleted.
    Removed,
    /// An operator rolled the plugin back to this version.
    RolledBack {
        /// The version that is live again.
        version: Arc<str>,
    },
    /// A version imports an interface that its operator did not grant.
    NotGranted {
        /// The version that is being loaded.
        version: Arc<str>,
        /// The missing grant, and how to add it.
        missing: String,
    },
    /// The journal's callbacks were replayed with a new version.
    Rehearsed {
        /// The version that is being loaded.
        version: Arc<str>,
        /// The numbers of callbacks that were replayed.
        shown: Rehearsed,
    },
    /// A new version serves a share of the users.
    CanaryBegan {
        /// The version of the canary.
        version: Arc<str>,
        /// Percent of the users.
        share: u32,
    },
    /// A canary takes the place of the version before.
    CanaryPromoted {
        /// The version of the canary.
        version: Arc<str>,
        /// Its figures as a canary.
        reason: String,
    },
    /// A canary is worse than the version before, which has all users again.
    CanaryRolledBack {
        /// The version of the canary.
        version: Arc<str>,
        /// Its figures as a canary.
        reason: String,
    },
    /// An operator ended a canary.
    CanaryWithdrawn {
        /// The version of the canary.
        version: Arc<str>,
    },
}

/// A version that has gone live.
#[derive(Clone, Debug)]
pub struct LiveVersion {
    /// The first 12 hex digits of the file's SHA-256.
    pub version: Arc<str>,
    /// The handlers that it exports.
    pub handles: Vec<&'static str>,
    /// The origin of its code.
    pub code: CodeSource,
    /// The time that loading the code took.
    pub code_load_time: Duration,
}

impl LiveVersion {
    pub(super) fn of(plugin: &Plugin) -> Self {
        Self {
            version: plugin.version().into(),
            handles: plugin.handlers().names(),
            code: plugin.provenance().code_source,
            code_load_time: plugin.provenance().code_load_time,
        }
    }
}

/// Announces the events of one folder.
#[derive(Clone, Debug)]
pub(super) struct Announcer {
    app: Arc<str>,
    followers: broadcast::Sender<FolderEvent>,
}

impl Announcer {
    pub(super) fn new(app: Arc<str>) -> Self {
        Self { app, followers: broadcast::Sender::new(MAX_BEHIND) }
    }

    /// Writes the log line first and at once: unlike a follower, the log must not miss an event.
    pub(super) fn announce(&self, event: FolderEvent) {
        log::write(&self.app, &event);
        // There may be no follower.
        let _ = self.followers.send(event);
    }

    /// Receives every event from now on.
    pub(super) fn follow(&self) -> broadcast::Receiver<FolderEvent> {
        self.followers.subscribe()
    }
}
