//! The plugins folder: a file that is copied into it goes live soon after, provided that it loads and passes its checks.
//!
//! A file that cannot be loaded changes nothing: the version that was live before stays live. Deleting a file takes its plugin
//! out.

mod watch;
mod listing;
mod load;
pub mod alone;
pub mod self_test;
mod file;
pub mod promote;
pub mod playback;
pub mod canary;
pub mod registry;
pub mod status;
pub mod report;
pub mod event;
mod log;
pub mod drill;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::task;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::timeout_at;

use crate::callback::seal::SealKey;
use crate::capability::access::Outside;
use crate::folder::canary::CanaryVerdict;
use crate::folder::canary::Judged;
use crate::folder::event::FolderChange;
use crate::folder::event::FolderEvent;
use crate::folder::event::LiveVersion;
use crate::folder::file::FileVersion;
use crate::folder::file::PluginFile;
use crate::folder::listing::Identity;
use crate::folder::listing::Listing;
use crate::folder::listing::Stamps;
use crate::folder::listing::list;
use crate::folder::load::LoadError;
use crate::folder::load::Loader;
use crate::folder::load::PluginSource;
pub use crate::folder::load::Promotion;
use crate::folder::registry::Registry;
use crate::folder::registry::Snapshot;
use crate::folder::status::FolderHandle;
use crate::folder::status::RollbackError;
use crate::folder::status::RollbackRequest;
use crate::folder::watch::FolderWatch;
use crate::plugin::live::Live;
use crate::plugin::loaded::Plugin;
use crate::runtime::engine::GuestEngine;
use crate::shutdown::Shutdown;
use crate::small_file::off_thread;
use crate::telemetry::events::PLUGINS_FOLDER_UNREADABLE;
use crate::telemetry::metrics;

/// Rollbacks, and verdicts about canaries, that may wait while the folder is being read.
const MAX_WAITING: usize = 8;
/// The wait while nothing is due.
const FOREVER: Duration = Duration::MAX;

/// The result of reading one plugin's files.
struct Finished {
    name: String,
    stamps: Stamps,
    /// When reading began. A file that was written just before may be written again without its stamps changing.
    began: SystemTime,
    result: Result<FolderContent, LoadError>,
}

/// A finished load with the id of its task.
type Loaded = Result<(task::Id, Finished), task::JoinError>;

/// The result of a load that went well.
enum FolderContent {
    /// The fingerprint of contents that are known already.
    Same([u8; 32]),
    New(FileVersion),
}

/// Keeps the registry of one app up to date with its folder.
pub struct Folder {
    path: PathBuf,
    loader: Loader,
    registry: Registry,
    files: BTreeMap<String, PluginFile>,
    loads: JoinSet<Finished>,
    handle: FolderHandle,
    inbox: FolderChanges,
    /// Changes that are announced as soon as the snapshot and the status show them.
    untold: Vec<FolderEvent>,
    /// Plugins that were still loading when the doors opened.
    awaited: BTreeSet<String>,
    /// The folder is not there, and the log says so already.
    missing: bool,
}

/// Messages to a folder from other tasks.
struct FolderChanges {
    rollbacks: mpsc::Receiver<RollbackRequest>,
    judged: mpsc::Receiver<Judged>,
    /// Given to each canary that begins.
    judge: mpsc::Sender<Judged>,
}

/// A folder, and the services that its plugins may reach.
pub struct FolderSpec {
    /// The app whose callbacks the plugins answer.
    pub app: Arc<str>,
    pub path: PathBuf,
    /// Compiles and runs the plugins.
    pub engine: Arc<GuestEngine>,
    /// The services behind the grants.
    pub outside: Outside,
    /// Seals the button values of the app's cards.
    pub seal_key: SealKey,
    /// The checks that a new version has to pass before it goes live.
    pub promotion: Promotion,
    /// Where the live plugins are published.
    pub registry: Registry,
}

impl Folder {
    /// Makes a folder that reads nothing before [`Folder::load_until`].
    pub fn new(spec: FolderSpec) -> Self {
        let FolderSpec { app, path, engine, outside, seal_key, promotion, registry } = spec;
        let (requests, rollbacks) = mpsc::channel(MAX_WAITING);
        let (judge, judged) = mpsc::channel(MAX_WAITING);
        let handle = FolderHandle::new(&app, &path, requests);
        Self {
            path,
            loader: Loader {
                app,
                engine,
                outside,
                seal_key,
                reuse: None,
                promotion,
                announcer: Some(handle.announcer().clone()),
            },
            handle,
            registry,
            files: BTreeMap::new(),
            loads: JoinSet::new(),
            inbox: FolderChanges { rollbacks, judged, judge },
            untold: Vec::new(),
            awaited: BTreeSet::new(),
            missing: false,
        }
    }

    /// Returns a handle for reports, events and rollbacks.
    pub fn handle(&self) -> FolderHandle {
        self.handle.clone()
    }

    /// Loads the plugins in the folder and publishes the sound ones at once. Plugins that are not loaded by `then` go live one
    /// by one as they become ready.
    pub async fn load_until(&mut self, then: Instant) {
        self.look().await;
        while let Ok(Some(finished)) = timeout_at(then, self.loads.join_next_with_id()).await {
            self.take(finished);
            // Refusals are final already, and the loads that are left may take long.
            self.announce();
        }
        self.awaited = self
            .files
            .iter()
            .filter(|(_, file)| file.is_loading())
            .map(|(name, _)| name.clone())
            .collect();
        if !self.awaited.is_empty() {
            let plugins = self.awaited.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            let app = &self.loader.app;
            tracing::warn!(%app, plugins, "folder: doors open before these plugins are loaded");
        }
        self.settle();
    }

    /// Follows the folder until the host stops. Stopping does not wait for a file system that hangs.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            // Loads under way are dropped with the folder.
            () = shutdown.begun() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(mut self) {
        let mut watch = FolderWatch::new(&self.path);
        loop {
            let (identity, mut wait) = self.look().await;
            if watch.follow(identity).await {
                (_, wait) = self.look().await;
            }
            let looked = Instant::now();
            // Until it is time to look again, finished loads go live one by one.
            loop {
                let left = wait.saturating_sub(looked.elapsed());
                tokio::select! {
                    // Each of these is cancel safe.
                    () = watch.next_look(left) => break,
                    Some(finished) = self.loads.join_next_with_id() => self.take_and_publish(finished),
                    Some(request) = self.inbox.rollbacks.recv() => self.apply(request),
                    Some(judged) = self.inbox.judged.recv() => self.end_canary(judged),
                }
            }
        }
    }

    /// Finds changes and begins to load them. Returns the folder's identity and the longest wait until the next look.
    async fn look(&mut self) -> (Option<Identity>, Duration) {
        let path = self.path.clone();
        let listed = off_thread(&self.path, move || list(&path)).await;
        let Listing { identity, found } = match listed {
            Ok(listing) => listing,
            Err(error) => {
                if !self.missing {
                    // A mount that went away for a moment must not take every plugin down.
                    let (app, folder) = (&self.loader.app, self.path.display());
                    tracing::warn!(%app, %folder, %error, "{PLUGINS_FOLDER_UNREADABLE}");
                }
                self.missing = true;
                return (None, FOREVER);
            }
        };
        if self.missing {
            let (app, folder) = (&self.loader.app, self.path.display());
            tracing::info!(%app, %folder, "folder: readable again");
            self.missing = false;
        }
        let gone: Vec<_> =
            self.files.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        self.remove(&gone);
        let mut wait = FOREVER;
        for (name, stamps) in found {
            let file = self.files.entry(name.clone()).or_insert_with(|| PluginFile::new(stamps));
            match file.see(stamps) {
                None => {}
                Some(Duration::ZERO) => self.begin_load(name),
                Some(later) => wait = wait.min(later),
            }
        }
        (Some(identity), wait)
    }

    fn remove(&mut self, gone: &[String]) {
        if gone.is_empty() {
            return;
        }
        for name in gone {
            self.files.remove(name);
            self.awaited.remove(name);
        }
        self.settle();
        for name in gone {
            // The host's own series of the plugin are gone. A recorder that the embedder installed may have kept them.
            metrics::set_plugin_paused(&self.loader.app, name, false);
            self.note(name, FolderChange::Removed);
        }
        self.announce();
    }

    fn begin_load(&mut self, name: String) {
        let Some(file) = self.files.get_mut(&name) else { return };
        let (known, replaces) = (file.known(), file.live().is_some());
        let (stamps, takes_long) = file.looks();
        let (loader, path) = (self.loader.clone(), self.path.clone());
        let task = self.loads.spawn(async move {
            let engine = &loader.engine;
            // A task that waits for its long turn holds no place in `loading`, so that other plugins load meanwhile.
            let long = if takes_long { Some(engine.loader.long_turn().await) } else { None };
            // The semaphore is never closed.
            let _turn = engine.loading.acquire().await.ok();
            let began = SystemTime::now();
            let result = async {
                let source = PluginSource::read(&path, &name).await?;
                let fingerprint = source.fingerprint();
                if known.contains(&fingerprint) {
                    return Ok(FolderContent::Same(fingerprint));
                }
                let plugin = loader.load(&name, source, long).await?;
                if replaces {
                    loader.rehearse(&plugin).await?;
                }
                Ok(FolderContent::New(FileVersion { plugin, fingerprint }))
            };
            let result = result.await;
            Finished { name, stamps, began, result }
        });
        file.begin_loading(task, stamps);
    }

    fn take_and_publish(&mut self, first: Loaded) {
        self.take(first);
        while let Some(finished) = self.loads.try_join_next_with_id() {
            self.take(finished);
        }
        self.settle();
    }

    fn take(&mut self, finished: Loaded) {
        let (task, Finished { name, stamps, began, result }) = match finished {
            Ok(finished) => finished,
            // The file was deleted or replaced.
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                tracing::error!(app = %self.loader.app, %error, "plugin: load failed");
                return;
            }
        };
        // The file may have been deleted or replaced meanwhile.
        let file = self.files.get_mut(&name).filter(|file| file.is_loaded_by(task));
        let Some(file) = file else { return };
        if result.as_ref().is_err_and(LoadError::waits_for_turn) {
            file.wait_for_turn();
            tracing::info!(app = %self.loader.app, plugin = name, "plugin: compiling takes long and waits for its turn");
            self.begin_load(name);
            return;
        }
        file.finish_loading(stamps, began);
        self.awaited.remove(&name);
        match result {
            Ok(FolderContent::Same(fingerprint)) => {
                file.is_unchanged(fingerprint);
                self.note(&name, FolderChange::Unchanged);
            }
            Ok(FolderContent::New(version)) => file.offer(version),
            Err(error) => {
                if let Some(refused) = file.refuse(&error) {
                    self.note(&name, refused);
                }
            }
        }
    }

    /// Decides about every candidate, publishes the result, and announces it.
    fn settle(&mut self) {
        self.activate_ready();
        self.refuse_conflicts();
        self.publish();
        self.announce();
    }

    /// Activates candidates that claim no callbacks of another live plugin: a newcomer cannot take callbacks away.
    fn activate_ready(&mut self) {
        // A version that replaces its predecessor may free callbacks that another candidate claims, so this repeats.
        while let Some(name) = self.files.keys().find(|name| self.can_go_live(name)).cloned() {
            let Some(file) = self.files.get_mut(&name) else { break };
            let change = match file.share_of_candidate() {
                Some(share) => {
                    file.begin_canary(share, self.inbox.judge.clone());
                    file.canary().map(|canary| FolderChange::CanaryBegan {
                        version: canary.plugin().version().into(),
                        share: canary.share(),
                    })
                }
                None => {
                    file.go_live();
                    file.live().map(|plugin| FolderChange::Live(LiveVersion::of(plugin)))
                }
            };
            if let Some(change) = change {
                self.note(&name, change);
            }
        }
    }

    /// Refuses the remaining candidates: each claims callbacks of a live plugin.
    fn refuse_conflicts(&mut self) {
        let conflicts: Vec<_> = self
            .files
            .iter()
            .filter_map(|(name, file)| {
                Some((name.clone(), self.conflict(name, file.candidate()?)?))
            })
            .collect();
        for (name, other) in conflicts {
            let file = self.files.get_mut(&name);
            let refused = file.and_then(|file| file.refuse(&LoadError::Conflict { other }));
            if let Some(refused) = refused {
                self.note(&name, refused);
            }
        }
    }

    /// Shows the files' current state to callbacks, metrics and reports.
    fn publish(&self) {
        let live: Vec<_> =
            self.files.values().filter_map(|file| Some(Arc::clone(file.live()?))).collect();
        metrics::set_plugins_live(&self.loader.app, live.iter().map(|plugin| plugin.name()));
        let canaries = self.files.values().filter_map(PluginFile::canary).cloned().collect();
        self.registry.publish(Snapshot::new(Live::new(live), canaries));
        let statuses = self.files.iter().map(|(name, file)| file.status(name)).collect();
        self.handle.set_status(statuses, self.awaited.iter().cloned().collect());
    }

    /// Keeps a change until [`Self::announce`].
    fn note(&mut self, plugin: &str, change: FolderChange) {
        self.untold.push(FolderEvent { plugin: plugin.into(), change });
    }

    /// Announces the noted changes. A listener may send a click at once, so the changes must be in effect by now.
    fn announce(&mut self) {
        for event in self.untold.drain(..) {
            self.handle.announcer().announce(event);
        }
    }

    /// Promotes a canary or rolls it back, as its verdict says. A promotion that would conflict with another live plugin is a
    /// rollback.
    fn end_canary(&mut self, judged: Judged) {
        let Judged { name, version, verdict } = judged;
        let claimed = self
            .files
            .get(&*name)
            .and_then(PluginFile::canary)
            .and_then(|canary| self.conflicting(&name, canary.plugin()));
        let Some(file) = self.files.get_mut(&*name) else { return };
        let verdict = match (verdict, claimed) {
            (CanaryVerdict::Promoted(_), Some(other)) => {
                CanaryVerdict::RolledBack(LoadError::Conflict { other }.to_string())
            }
            (verdict, _) => verdict,
        };
        match verdict {
            CanaryVerdict::Promoted(reason) => {
                let Some(plugin) = file.promote(&version, reason.clone()) else { return };
                self.note(&name, FolderChange::CanaryPromoted { version, reason });
                self.note(&name, FolderChange::Live(LiveVersion::of(&plugin)));
            }
            CanaryVerdict::RolledBack(reason) => {
                if file.dismiss(&version, format!("canary: {reason}")).is_none() {
                    return;
                }
                self.note(&name, FolderChange::CanaryRolledBack { version, reason });
            }
        }
        self.settle();
    }

    fn can_go_live(&self, name: &str) -> bool {
        let candidate = self.files.get(name).and_then(PluginFile::candidate);
        candidate.is_some_and(|candidate| self.conflict(name, candidate).is_none())
    }

    /// Returns the name of another file's live plugin that claims the same callbacks.
    fn conflict(&self, name: &str, candidate: &FileVersion) -> Option<String> {
        self.conflicting(name, &candidate.plugin)
    }

    fn conflicting(&self, name: &str, plugin: &Plugin) -> Option<String> {
        self.files
            .iter()
            .filter(|(other, _)| *other != name)
            .filter_map(|(_, file)| file.live())
            .find(|other| other.conflicts_with(plugin))
            .map(|other| other.name().to_owned())
    }

    fn apply(&mut self, request: RollbackRequest) {
        let done = self.roll_back(&request.name);
        // The operator's request may have been dropped meanwhile.
        let _ = request.done.send(done);
    }

    fn roll_back(&mut self, name: &str) -> Result<String, RollbackError> {
        let file = self.files.get(name).ok_or(RollbackError::Unknown)?;
        if let (Some(canary), Some(live)) = (file.canary(), file.live()) {
            let (canary, live) = (canary.plugin().version().to_owned(), live.version().to_owned());
            return Ok(self.withdraw(name, &canary, live));
        }
        let before = file.before().ok_or(RollbackError::NoneBefore)?;
        if let Some(other) = self.conflict(name, before) {
            return Err(RollbackError::Conflict { other });
        }
        let version = before.plugin.version().to_owned();
        if let Some(file) = self.files.get_mut(name) {
            file.roll_back();
        }
        self.note(name, FolderChange::RolledBack { version: version.as_str().into() });
        self.settle();
        Ok(version)
    }

    /// Ends a canary for an operator. The version before still serves most of the users. Returns that version.
    fn withdraw(&mut self, name: &str, canary: &str, live: String) -> String {
        if let Some(file) = self.files.get_mut(name) {
            // The canary was there a moment ago, and only this task removes it.
            let _ = file.dismiss(canary, "canary: an operator took it back".to_owned());
        }
        self.note(name, FolderChange::CanaryWithdrawn { version: canary.into() });
        self.settle();
        live
    }
}
