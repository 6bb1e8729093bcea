//! What happens in a plugins folder, told as it happens to the log and to those who follow the folder.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::folder::log;
use crate::plugin::loaded::Plugin;
use crate::plugin::rehearsed::Rehearsed;
use crate::runtime::code::CodeSource;

/// Events that a follower may be behind before it loses the oldest. Following is for a person's screen: it can look at
/// the folder's report instead.
const MAX_BEHIND: usize = 256;

/// A change of one plugin in a folder. When it is told, the folder's snapshot and its report show it already.
#[derive(Clone, Debug)]
pub struct FolderEvent {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// What has happened to it.
    pub change: FolderChange,
}

/// What has happened to a plugin.
#[derive(Clone, Debug)]
pub enum FolderChange {
    /// A version answers callbacks.
    Live(LiveVersion),
    /// The version in the file does not go live.
    Refused {
        /// Why.
        reason: String,
        /// The version that stays live.
        still_live: Option<Arc<str>>,
    },
    /// The file was written again with what it held before, or with what is live.
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
        /// What to do about it.
        missing: String,
    },
    /// The journal's callbacks were played to a new version.
    Rehearsed {
        /// The version that is being loaded.
        version: Arc<str>,
        /// What it showed.
        shown: Rehearsed,
    },
    /// A new version serves a share of the users.
    CanaryBegan {
        /// The new version.
        version: Arc<str>,
        /// Percent of the users.
        share: u32,
    },
    /// A canary takes the place of the version before.
    CanaryPromoted {
        /// The new version.
        version: Arc<str>,
        /// What it showed.
        reason: String,
    },
    /// A canary is worse than the version before, which has all users again.
    CanaryRolledBack {
        /// The new version.
        version: Arc<str>,
        /// What it showed.
        reason: String,
    },
    /// An operator ended a canary.
    CanaryWithdrawn {
        /// The new version.
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
    /// Where its code came from.
    pub code: CodeSource,
    /// How long that took.
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

/// Tells the events of one folder.
#[derive(Clone, Debug)]
pub(super) struct Announcer {
    app: Arc<str>,
    followers: broadcast::Sender<FolderEvent>,
}

impl Announcer {
    pub(super) fn new(app: Arc<str>) -> Self {
        Self { app, followers: broadcast::Sender::new(MAX_BEHIND) }
    }

    /// The log is told first, and at once: it may not miss an event because it was behind.
    pub(super) fn announce(&self, event: FolderEvent) {
        log::write(&self.app, &event);
        // Nobody has to follow.
        let _ = self.followers.send(event);
    }

    /// Every event from now on.
    pub(super) fn follow(&self) -> broadcast::Receiver<FolderEvent> {
        self.followers.subscribe()
    }
}
