//! The plugins folder: what lies in it is live, soon after it changed and only if it is sound.
//!
//! A file that cannot be loaded changes nothing: whatever version of it was live before stays so. Deleting a file is
//! how a plugin is taken out.

mod watch;
mod listing;
mod load;
pub mod alone;
mod self_test;
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
use crate::folder::canary::Judged;
use crate::folder::canary::Verdict;
use crate::folder::event::FolderChange;
use crate::folder::event::FolderEvent;
use crate::folder::event::LiveVersion;
use crate::folder::file::File;
use crate::folder::file::Version;
use crate::folder::listing::Identity;
use crate::folder::listing::Listing;
use crate::folder::listing::Stamps;
use crate::folder::listing::list;
use crate::folder::load::LoadError;
use crate::folder::load::Loader;
pub use crate::folder::load::Promotion;
use crate::folder::load::Source;
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

/// Rollbacks, and verdicts about canaries, that may wait while a folder is looked into.
const MAX_WAITING: usize = 8;
/// As long as nothing is waited for.
const FOREVER: Duration = Duration::MAX;

/// What came of reading one plugin's files.
struct Finished {
    name: String,
    stamps: Stamps,
    /// When it was looked at: what was written just before may be written again unnoticed.
    began: SystemTime,
    result: Result<Content, LoadError>,
}

/// What a load came to, and which one it was.
type Loaded = Result<(task::Id, Finished), task::JoinError>;

/// What the files hold.
enum Content {
    /// What is known already.
    Same([u8; 32]),
    New(Version),
}

/// Keeps one app's registry as its folder is.
pub struct Folder {
    path: PathBuf,
    loader: Loader,
    registry: Registry,
    files: BTreeMap<String, File>,
    loads: JoinSet<Finished>,
    handle: FolderHandle,
    inbox: Inbox,
    /// What has happened and is told once the snapshot and the status show it.
    untold: Vec<FolderEvent>,
    /// Plugins that the doors did not wait for.
    awaited: BTreeSet<String>,
    /// Said once that the folder is not there.
    missing: bool,
}

/// What others ask of a folder while it follows its files.
struct Inbox {
    rollbacks: mpsc::Receiver<RollbackRequest>,
    judged: mpsc::Receiver<Judged>,
    /// For the canaries that begin.
    judge: mpsc::Sender<Judged>,
}

/// What a folder is, and what its plugins may reach.
pub struct FolderSpec {
    /// The app whose callbacks its plugins answer.
    pub app: Arc<str>,
    /// The folder's path.
    pub path: PathBuf,
    /// Compiles and runs its plugins.
    pub engine: Arc<GuestEngine>,
    /// Where grants lead to.
    pub outside: Outside,
    /// What the app's values are sealed with.
    pub seal_key: SealKey,
    /// What new versions have to show before they go live.
    pub promotion: Promotion,
    /// Where the live plugins are published.
    pub registry: Registry,
}

impl Folder {
    /// Reads nothing before [`Folder::load_until`].
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
            inbox: Inbox { rollbacks, judged, judge },
            untold: Vec::new(),
            awaited: BTreeSet::new(),
            missing: false,
        }
    }

    /// For those who ask what is loaded, follow it, or roll it back.
    pub fn handle(&self) -> FolderHandle {
        self.handle.clone()
    }

    /// Loads what is in the folder, and publishes what is sound of it in one go. What is not loaded by then follows as it
    /// becomes ready.
    pub async fn load_until(&mut self, then: Instant) {
        self.look().await;
        while let Ok(Some(finished)) = timeout_at(then, self.loads.join_next_with_id()).await {
            self.take(finished);
            // A refusal is true already, and what is slow to load may take long.
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
            tracing::warn!(%app, plugins, "the doors open before these plugins are loaded");
        }
        self.settle();
    }

    /// Follows the folder until the host stops, which does not wait for a file system that does not answer.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            // What is being loaded is dropped with its folder.
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
            // Until there is reason to look again: what is loaded meanwhile goes live as soon as it is ready.
            loop {
                let left = wait.saturating_sub(looked.elapsed());
                tokio::select! {
                    // Cancel safe, all of them.
                    () = watch.next_look(left) => break,
                    Some(finished) = self.loads.join_next_with_id() => self.take_and_publish(finished),
                    Some(request) = self.inbox.rollbacks.recv() => self.apply(request),
                    Some(judged) = self.inbox.judged.recv() => self.end_canary(judged),
                }
            }
        }
    }

    /// Sees what has changed, and begins to load it. Returns when to look again at the latest.
    async fn look(&mut self) -> (Option<Identity>, Duration) {
        let path = self.path.clone();
        let listed = off_thread(&self.path, move || list(&path)).await;
        let Listing { identity, found } = match listed {
            Ok(listing) => listing,
            Err(error) => {
                if !self.missing {
                    // A mount that went away for a moment is no reason to take every plugin down.
                    let (app, folder) = (&self.loader.app, self.path.display());
                    tracing::warn!(%app, %folder, %error, "{PLUGINS_FOLDER_UNREADABLE}");
                }
                self.missing = true;
                return (None, FOREVER);
            }
        };
        if self.missing {
            let (app, folder) = (&self.loader.app, self.path.display());
            tracing::info!(%app, %folder, "plugins folder is back");
            self.missing = false;
        }
        let gone: Vec<_> =
            self.files.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        self.remove(&gone);
        let mut wait = FOREVER;
        for (name, stamps) in found {
            let file = self.files.entry(name.clone()).or_insert_with(|| File::new(stamps));
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
            // The host's own series of it have gone. A recorder of somebody else's may have kept them.
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
            // It holds nothing while it waits, so that however many take long, the others are loaded meanwhile.
            let long = if takes_long { Some(engine.loader.long_turn().await) } else { None };
            // The semaphore is never closed.
            let _turn = engine.loading.acquire().await.ok();
            let began = SystemTime::now();
            let result = async {
                let source = Source::read(&path, &name).await?;
                let fingerprint = source.fingerprint();
                if known.contains(&fingerprint) {
                    return Ok(Content::Same(fingerprint));
                }
                let plugin = loader.load(&name, source, long).await?;
                if replaces {
                    loader.rehearse(&plugin).await?;
                }
                Ok(Content::New(Version { plugin, fingerprint }))
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
            // Its file was deleted or replaced.
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                tracing::error!(app = %self.loader.app, %error, "loading a plugin failed");
                return;
            }
        };
        // It may have been deleted or replaced meanwhile.
        let file = self.files.get_mut(&name).filter(|file| file.is_loaded_by(task));
        let Some(file) = file else { return };
        if result.as_ref().is_err_and(LoadError::waits_for_turn) {
            file.wait_for_turn();
            tracing::info!(app = %self.loader.app, plugin = name, "compiling takes long, it waits for its turn");
            self.begin_load(name);
            return;
        }
        file.finish_loading(stamps, began);
        self.awaited.remove(&name);
        match result {
            Ok(Content::Same(fingerprint)) => {
                file.is_unchanged(fingerprint);
                self.note(&name, FolderChange::Unchanged);
            }
            Ok(Content::New(version)) => file.offer(version),
            Err(error) => {
                if let Some(refused) = file.refuse(&error) {
                    self.note(&name, refused);
                }
            }
        }
    }

    /// Decides about every version that waits, publishes the result, and tells it.
    fn settle(&mut self) {
        self.activate_ready();
        self.refuse_conflicts();
        self.publish();
        self.announce();
    }

    /// Activates what claims nothing that another live plugin has: a newcomer cannot take callbacks from anyone.
    fn activate_ready(&mut self) {
        // One that takes the place of its old version may free what another waits for, hence the rounds.
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

    /// Refuses the versions that still wait: each claims what a live plugin has.
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

    /// Lets callbacks, metrics and whoever asks see the files as they are now.
    fn publish(&self) {
        let live: Vec<_> =
            self.files.values().filter_map(|file| Some(Arc::clone(file.live()?))).collect();
        metrics::set_plugins_live(&self.loader.app, live.iter().map(|plugin| plugin.name()));
        let canaries = self.files.values().filter_map(File::canary).cloned().collect();
        self.registry.publish(Snapshot::new(Live::new(live), canaries));
        let statuses = self.files.iter().map(|(name, file)| file.status(name)).collect();
        self.handle.set_status(statuses, self.awaited.iter().cloned().collect());
    }

    /// Keeps what has happened until [`Self::announce`].
    fn note(&mut self, plugin: &str, change: FolderChange) {
        self.untold.push(FolderEvent { plugin: plugin.into(), change });
    }

    /// Tells what has happened. Whoever hears it may click at once, so it has to be true by now.
    fn announce(&mut self) {
        for event in self.untold.drain(..) {
            self.handle.announcer().announce(event);
        }
    }

    /// A canary has shown what it is.
    fn end_canary(&mut self, judged: Judged) {
        let Judged { name, version, verdict } = judged;
        let claimed = self
            .files
            .get(&*name)
            .and_then(File::canary)
            .and_then(|canary| self.conflicting(&name, canary.plugin()));
        let Some(file) = self.files.get_mut(&*name) else { return };
        let verdict = match (verdict, claimed) {
            (Verdict::Promoted(_), Some(other)) => {
                Verdict::RolledBack(LoadError::Conflict { other }.to_string())
            }
            (verdict, _) => verdict,
        };
        match verdict {
            Verdict::Promoted(reason) => {
                let Some(plugin) = file.promote(&version, reason.clone()) else { return };
                self.note(&name, FolderChange::CanaryPromoted { version, reason });
                self.note(&name, FolderChange::Live(LiveVersion::of(&plugin)));
            }
            Verdict::RolledBack(reason) => {
                if file.dismiss(&version, format!("canary: {reason}")).is_none() {
                    return;
                }
                self.note(&name, FolderChange::CanaryRolledBack { version, reason });
            }
        }
        self.settle();
    }

    fn can_go_live(&self, name: &str) -> bool {
        let candidate = self.files.get(name).and_then(File::candidate);
        candidate.is_some_and(|candidate| self.conflict(name, candidate).is_none())
    }

    /// The live plugin of another file that claims what this one does.
    fn conflict(&self, name: &str, candidate: &Version) -> Option<String> {
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
        // The operator may have given up.
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

    /// The operator does not want to see more of it. The version before has most of the users already.
    fn withdraw(&mut self, name: &str, canary: &str, live: String) -> String {
        if let Some(file) = self.files.get_mut(name) {
            // It was there a moment ago, and nobody else takes it away.
            let _ = file.dismiss(canary, "canary: an operator took it back".to_owned());
        }
        self.note(name, FolderChange::CanaryWithdrawn { version: canary.into() });
        self.settle();
        live
    }
}
