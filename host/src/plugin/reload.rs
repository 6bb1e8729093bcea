//! The plugins folder: what lies in it is live, soon after it changed and only if it is sound.
//!
//! A file that cannot be loaded changes nothing: whatever version of it was live before stays so. Deleting a file is
//! how a plugin is taken out.

pub mod alone;
mod file;
mod listing;
mod load;
mod watch;

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
use crate::plugin::canary::Judged;
use crate::plugin::canary::Verdict;
use crate::plugin::engine::GuestEngine;
use crate::plugin::registry::Plugin;
use crate::plugin::registry::Registry;
use crate::plugin::registry::Snapshot;
use crate::plugin::reload::file::File;
use crate::plugin::reload::file::Version;
use crate::plugin::reload::listing::Identity;
use crate::plugin::reload::listing::Listing;
use crate::plugin::reload::listing::Stamps;
use crate::plugin::reload::listing::list;
use crate::plugin::reload::load::LoadError;
use crate::plugin::reload::load::Loader;
pub use crate::plugin::reload::load::Promotion;
use crate::plugin::reload::load::Source;
use crate::plugin::reload::watch::FolderWatch;
use crate::plugin::status::FolderHandle;
use crate::plugin::status::FolderStatus;
use crate::plugin::status::Rollback;
use crate::plugin::status::RollbackError;
use crate::plugin::status::StatusCell;
use crate::shutdown::Shutdown;
use crate::small_file::off_thread;
use crate::telemetry::events::CANARY_BEGINS;
use crate::telemetry::events::CANARY_PROMOTED;
use crate::telemetry::events::CANARY_ROLLED_BACK;
use crate::telemetry::events::PLUGIN_LIVE;
use crate::telemetry::events::PLUGIN_REMOVED;
use crate::telemetry::events::PLUGIN_UNCHANGED;
use crate::telemetry::events::PLUGINS_FOLDER_UNREADABLE;
use crate::telemetry::metrics;

pub use crate::plugin::reload::load::Outside;

/// Wishes of operators that may wait while a folder is looked into.
const MAX_COMMANDS: usize = 8;
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
    commands: mpsc::Receiver<Rollback>,
    judged: (mpsc::Sender<Judged>, mpsc::Receiver<Judged>),
    status: StatusCell,
    /// Plugins that the doors did not wait for.
    awaited: BTreeSet<String>,
    /// Said once that the folder is not there.
    missing: bool,
}

impl Folder {
    /// Nothing is read before [`Folder::load_until`]. The handle is for those who want to know, or want the version before.
    pub fn new(
        app: Arc<str>,
        path: PathBuf,
        engine: Arc<GuestEngine>,
        outside: Outside,
        seal_key: SealKey,
        registry: Registry,
    ) -> (Self, FolderHandle) {
        let (wishes, commands) = mpsc::channel(MAX_COMMANDS);
        let status = StatusCell::new(FolderStatus::new(&app, &path));
        let handle = FolderHandle::new(status.clone(), wishes);
        let folder = Self {
            path,
            loader: Loader {
                app,
                engine,
                outside,
                seal_key,
                reuse: None,
                promotion: Promotion::default(),
            },
            registry,
            files: BTreeMap::new(),
            loads: JoinSet::new(),
            commands,
            judged: mpsc::channel(MAX_COMMANDS),
            status,
            awaited: BTreeSet::new(),
            missing: false,
        };
        (folder, handle)
    }

    /// What new versions have to show. Without a word about it, nothing.
    pub fn judge_by(&mut self, promotion: Promotion) {
        self.loader.promotion = promotion;
    }

    /// Loads what is in the folder, and publishes what is sound of it in one go. What is not loaded by then follows as it
    /// becomes ready.
    pub async fn load_until(&mut self, then: Instant) {
        self.look().await;
        while let Ok(Some(finished)) = timeout_at(then, self.loads.join_next_with_id()).await {
            self.take(finished);
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
        self.publish();
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
                    Some(wish) = self.commands.recv() => self.fulfil(wish),
                    Some(judged) = self.judged.1.recv() => self.end_canary(judged),
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
        self.publish();
        for name in gone {
            // The host's own series of it have gone. A recorder of somebody else's may have kept them.
            metrics::set_plugin_paused(&self.loader.app, name, false);
        }
        // Said once it holds: whoever reads the line may click at once.
        for name in gone {
            tracing::info!(app = %self.loader.app, plugin = name, "{PLUGIN_REMOVED}");
        }
    }

    fn begin_load(&mut self, name: String) {
        let Some(file) = self.files.get_mut(&name) else { return };
        let (known, replaces) = (file.known(), file.live().is_some());
        let (stamps, takes_long) = file.looks();
        let (loader, path) = (self.loader.clone(), self.path.clone());
        let task = self.loads.spawn(async move {
            let engine = &loader.engine;
            // It holds nothing while it waits, so that however many take long, the others are loaded meanwhile.
            let long = if takes_long { Some(engine.compilers.long_turn().await) } else { None };
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
        self.publish();
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
                tracing::debug!(app = %self.loader.app, plugin = name, "{PLUGIN_UNCHANGED}");
                file.is_as_before(fingerprint);
            }
            Ok(Content::New(version)) => file.offer(version),
            Err(error) => file.refuse(&self.loader.app, &name, &error),
        }
    }

    /// Makes live what claims nothing that another live plugin has: a newcomer cannot take callbacks from anyone.
    fn publish(&mut self) {
        let (mut gone_live, mut tried) = (Vec::new(), Vec::new());
        // One that takes the place of its old version may free what another waits for, hence the rounds.
        while let Some(name) = self.files.keys().find(|name| self.can_go_live(name)).cloned() {
            let Some(file) = self.files.get_mut(&name) else { break };
            match file.share_of_candidate() {
                Some(share) => {
                    file.begin_trying(share, self.judged.0.clone());
                    tried.push(name);
                }
                None => {
                    file.go_live();
                    gone_live.push(name);
                }
            }
        }
        let conflicts: Vec<_> = self
            .files
            .iter()
            .filter_map(|(name, file)| {
                Some((name.clone(), self.conflict(name, file.candidate()?)?))
            })
            .collect();
        for (name, other) in conflicts {
            if let Some(file) = self.files.get_mut(&name) {
                file.refuse(&self.loader.app, &name, &LoadError::Conflict { other });
            }
        }
        let live: Vec<_> =
            self.files.values().filter_map(|file| Some(Arc::clone(file.live()?))).collect();
        metrics::set_plugins_live(&self.loader.app, live.iter().map(|plugin| plugin.name()));
        let canaries = self.files.values().filter_map(File::canary).cloned().collect();
        self.registry.publish(Snapshot::new(live).with_canaries(canaries));
        let statuses = self.files.iter().map(|(name, file)| file.status(name)).collect();
        self.status.set(statuses, self.awaited.iter().cloned().collect());
        // Only now is it true.
        gone_live.iter().for_each(|name| self.say_live(name));
        for name in tried {
            if let Some(canary) = self.files.get(&name).and_then(File::canary) {
                let (app, canary) = (&self.loader.app, canary.to_json());
                let (version, share) = (canary["version"].as_str(), canary["share"].as_u64());
                tracing::info!(%app, plugin = name, version, share, "{CANARY_BEGINS}");
            }
        }
    }

    fn say_live(&self, name: &str) {
        if let Some(plugin) = self.files.get(name).and_then(File::live) {
            let handles = plugin.handlers().names().join(" ");
            let (app, version) = (&self.loader.app, plugin.version());
            let (code, code_ms) =
                (plugin.code_source().as_str(), plugin.had_code_in().as_secs_f64() * 1000.0);
            tracing::info!(%app, plugin = name, version, handles, code, code_ms, "{PLUGIN_LIVE}");
        }
    }

    /// A canary has shown what it is.
    fn end_canary(&mut self, judged: Judged) {
        let Judged { name, version, verdict } = judged;
        let app = Arc::clone(&self.loader.app);
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
                if file.promote(&version, reason.clone()).is_none() {
                    return;
                }
                self.publish();
                tracing::info!(%app, plugin = &*name, version = &*version, reason, "{CANARY_PROMOTED}");
                self.say_live(&name);
            }
            Verdict::RolledBack(reason) => {
                if file.dismiss(&version, format!("canary: {reason}")).is_none() {
                    return;
                }
                self.publish();
                tracing::error!(%app, plugin = &*name, version = &*version, reason, "{CANARY_ROLLED_BACK}");
            }
        }
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

    fn fulfil(&mut self, wish: Rollback) {
        let done = self.roll_back(&wish.name);
        // The operator may have given up.
        let _ = wish.done.send(done);
    }

    fn roll_back(&mut self, name: &str) -> Result<String, RollbackError> {
        let file = self.files.get(name).ok_or(RollbackError::Unknown)?;
        if let (Some(canary), Some(live)) = (file.canary(), file.live()) {
            let (canary, live) = (canary.plugin().version().to_owned(), live.version().to_owned());
            return Ok(self.take_back(name, &canary, live));
        }
        let before = file.before().ok_or(RollbackError::NoneBefore)?;
        if let Some(other) = self.conflict(name, before) {
            return Err(RollbackError::Conflict { other });
        }
        let version = before.plugin.version().to_owned();
        if let Some(file) = self.files.get_mut(name) {
            file.roll_back();
        }
        self.publish();
        tracing::info!(app = %self.loader.app, plugin = name, version, "plugin rolled back");
        Ok(version)
    }

    /// The operator does not want to see more of it. The version before has most of the users already.
    fn take_back(&mut self, name: &str, canary: &str, live: String) -> String {
        if let Some(file) = self.files.get_mut(name) {
            // It was there a moment ago, and nobody else takes it away.
            let _ = file.dismiss(canary, "canary: an operator took it back".to_owned());
        }
        self.publish();
        let app = &self.loader.app;
        tracing::info!(%app, plugin = name, version = canary, "canary taken back");
        live
    }
}
