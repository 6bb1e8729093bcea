//! Reports of the loaded plugins, and rollbacks. Not used while a callback is answered.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use arc_swap::ArcSwap;
use tokio::sync::broadcast;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::folder::canary::Canary;
use crate::folder::event::Announcer;
use crate::folder::event::FolderEvent;
use crate::folder::report::AppReport;
use crate::folder::report::BreakerReport;
use crate::folder::report::BreakerState;
use crate::folder::report::LiveReport;
use crate::folder::report::PluginReport;
use crate::folder::report::UsageReport;
use crate::plugin::breaker::Breaker;
use crate::plugin::breaker::Condition;
use crate::plugin::breaker::PausedFor;
use crate::plugin::loaded::Plugin;
use crate::plugin::usage::Usage;
use crate::telemetry::metrics;

/// The state of the files of one folder.
#[derive(Clone)]
pub(super) struct FolderStatus {
    app: Arc<str>,
    folder: PathBuf,
    files: Vec<FileStatus>,
    awaited: Vec<String>,
}

/// The state of one file.
#[derive(Clone)]
pub(super) struct FileStatus {
    pub(super) name: String,
    pub(super) live: Option<LiveStatus>,
    pub(super) canary: Option<Arc<Canary>>,
    /// The version that a rollback makes live.
    pub(super) before: Option<String>,
    /// Why the version in the file is not live.
    pub(super) refused: Option<String>,
}

/// The live version of a file.
#[derive(Clone)]
pub(super) struct LiveStatus {
    pub(super) plugin: Arc<Plugin>,
    pub(super) since: SystemTime,
    pub(super) rolled_back: bool,
    /// The reason for its promotion, if it was a canary.
    pub(super) promoted: Option<String>,
}

impl FolderStatus {
    pub(super) fn new(app: &Arc<str>, folder: &Path) -> Self {
        Self {
            app: Arc::clone(app),
            folder: folder.to_owned(),
            files: Vec::new(),
            awaited: Vec::new(),
        }
    }

    fn report(&self) -> AppReport {
        AppReport {
            app: self.app.to_string(),
            folder: self.folder.to_string_lossy().into_owned(),
            plugins: self.files.iter().map(FileStatus::report).collect(),
        }
    }
}

impl FileStatus {
    fn report(&self) -> PluginReport {
        PluginReport {
            name: self.name.clone(),
            live: self.live.as_ref().map(LiveStatus::report),
            not_live_because: self.refused.clone(),
            version_before: self.before.clone(),
            canary: self.canary.as_ref().map(|canary| canary.report()),
        }
    }
}

impl LiveStatus {
    fn report(&self) -> LiveReport {
        let plugin = &self.plugin;
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        LiveReport {
            version: plugin.version().to_owned(),
            handles: plugin.handlers().names().into_iter().map(str::to_owned).collect(),
            routes: plugin.routes().to_vec(),
            since_ms: milliseconds(since),
            rolled_back: self.rolled_back,
            promoted_because: self.promoted.clone(),
            usage: usage_report(plugin.usage()),
            breaker: breaker_report(plugin.breaker()),
            rehearsed: plugin.rehearsed().copied(),
        }
    }
}

fn usage_report(usage: &Usage) -> UsageReport {
    UsageReport {
        calls: usage.calls(),
        instances: usage.instances(),
        failures: usage.failures(),
        fuel: usage.fuel(),
        typical_ms: usage.typical().as_secs_f64() * 1000.0,
    }
}

fn breaker_report(breaker: &Breaker) -> BreakerReport {
    let (state, paused_for_ms) = match breaker.condition(Instant::now()) {
        Condition::Running => (BreakerState::Running, None),
        Condition::Paused(left) => (BreakerState::Paused, Some(milliseconds(left))),
        Condition::Probing => (BreakerState::Probing, None),
    };
    let PausedFor { tenants, users } = breaker.paused_for();
    BreakerReport { state, paused_for_ms, paused_tenants: tenants, paused_users: users }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Why a plugin is not rolled back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// There is no file of that name.
    #[error("there is no plugin of that name")]
    Unknown,
    /// No version was live before, since the host started.
    #[error("no version of it was live before, since this host runs")]
    NoneBefore,
    /// The version before claims callbacks that another live plugin has taken since.
    #[error("the version before claims the same callbacks as the live plugin {other:?}")]
    Conflict {
        /// The name of that plugin.
        other: String,
    },
    /// The host is stopping, or its queue of rollbacks is full.
    #[error("the host is stopping or busy; rollback refused")]
    Unavailable,
}

/// An operator's request to roll a plugin back.
pub(super) struct RollbackRequest {
    pub(super) name: String,
    pub(super) done: oneshot::Sender<Result<String, RollbackError>>,
}

/// Access to one app's folder from other tasks.
#[derive(Clone)]
pub struct FolderHandle {
    status: Arc<ArcSwap<FolderStatus>>,
    rollbacks: mpsc::Sender<RollbackRequest>,
    announcer: Announcer,
}

impl std::fmt::Debug for FolderHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FolderHandle").field("app", &self.app()).finish_non_exhaustive()
    }
}

impl FolderHandle {
    /// Makes the handle of a folder that was not read yet.
    pub(super) fn new(
        app: &Arc<str>,
        folder: &Path,
        rollbacks: mpsc::Sender<RollbackRequest>,
    ) -> Self {
        let status = Arc::new(ArcSwap::from_pointee(FolderStatus::new(app, folder)));
        Self { status, rollbacks, announcer: Announcer::new(Arc::clone(app)) }
    }

    pub(super) fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    pub(super) fn set_status(&self, files: Vec<FileStatus>, awaited: Vec<String>) {
        let now = self.status.load();
        let (app, folder) = (Arc::clone(&now.app), now.folder.clone());
        self.status.store(Arc::new(FolderStatus { app, folder, files, awaited }));
    }

    /// Receives every change of the folder's plugins from now on.
    pub fn follow(&self) -> broadcast::Receiver<FolderEvent> {
        self.announcer.follow()
    }

    /// Returns the app that the plugins belong to.
    pub fn app(&self) -> Arc<str> {
        Arc::clone(&self.status.load().app)
    }

    /// Returns the plugins that were there when the host started and are still loading.
    pub fn awaited(&self) -> Vec<String> {
        self.status.load().awaited.clone()
    }

    /// Reports the state of every file.
    pub fn report(&self) -> AppReport {
        self.status.load().report()
    }

    /// Sets the metrics gauges of the folder's plugins.
    pub fn refresh_metrics(&self) {
        let (status, now) = (self.status.load(), Instant::now());
        for file in &status.files {
            if let Some(live) = &file.live {
                let running = live.plugin.breaker().condition(now) == Condition::Running;
                metrics::set_plugin_paused(&status.app, &file.name, !running);
            }
        }
    }

    /// Tells whether there is a file for a plugin of that name.
    pub fn has(&self, name: &str) -> bool {
        self.status.load().files.iter().any(|file| file.name == name)
    }

    /// Makes the version before live again, until the file changes. Returns that version. A canary is ended instead, and the
    /// live version returned.
    pub async fn roll_back(&self, name: &str) -> Result<String, RollbackError> {
        let (done, result) = oneshot::channel();
        let request = RollbackRequest { name: name.to_owned(), done };
        self.rollbacks.try_send(request).map_err(|_full_or_closed| RollbackError::Unavailable)?;
        result.await.unwrap_or(Err(RollbackError::Unavailable))
    }
}
