//! The versions of one `name.wasm`: the live one, the one before, the candidate, the canary, and why a version was refused.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::task;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::folder::canary::Canary;
use crate::folder::canary::Judged;
use crate::folder::event::FolderChange;
use crate::folder::listing::Stamps;
use crate::folder::load::LoadError;
use crate::folder::status::FileStatus;
use crate::folder::status::LiveStatus;
use crate::folder::watch::SETTLE;
use crate::plugin::loaded::Plugin;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;

/// A file that is refused and then changes is probably still being written. The wait before it is read doubles each time, up
/// to this, so that a copy over a slow network is refused a handful of times instead of a thousand.
const MAX_PATIENCE: Duration = Duration::from_secs(2);

/// A plugin and the fingerprint of its files.
#[derive(Clone)]
pub(super) struct FileVersion {
    pub(super) plugin: Arc<Plugin>,
    pub(super) fingerprint: [u8; 32],
}

struct ActiveVersion {
    version: FileVersion,
    since: SystemTime,
    rolled_back: bool,
    /// The reason for its promotion, if it was a canary.
    promoted: Option<String>,
}

struct Trying {
    fingerprint: [u8; 32],
    canary: Arc<Canary>,
}

/// The state of one file in the plugins folder.
pub(super) struct PluginFile {
    look: Look,
    /// The fingerprint of the contents that were read last and not refused as broken.
    read: Option<[u8; 32]>,
    live: Option<ActiveVersion>,
    /// A version that loaded well and waits to be published, or for another plugin to release its routes.
    candidate: Option<FileVersion>,
    trying: Option<Trying>,
    /// The version that was live before, kept for a rollback.
    before: Option<FileVersion>,
    refused: Option<String>,
}

/// The file's stamps, and how far it has been read.
struct Look {
    stamps: Stamps,
    since: Instant,
    loading: Option<Loading>,
    loaded: Option<Stamps>,
    /// Compiling the current contents is known to take long.
    takes_long: bool,
    /// The file was read so soon after a write that a later change could leave the same stamps.
    read_again: bool,
    /// The time for which the file has to stay unchanged before it is read.
    patience: Duration,
}

/// The task that loads a file. Dropping this aborts the task: a version whose file is gone is not needed, and compiling it
/// could go on for minutes.
struct Loading {
    task: AbortHandle,
    stamps: Stamps,
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PluginFile {
    pub(super) fn new(stamps: Stamps) -> Self {
        let look = Look {
            stamps,
            since: Instant::now(),
            loading: None,
            loaded: None,
            takes_long: false,
            read_again: false,
            patience: Duration::ZERO,
        };
        Self {
            look,
            read: None,
            live: None,
            candidate: None,
            trying: None,
            before: None,
            refused: None,
        }
    }

    /// Takes note of the file's stamps. Returns how soon the file has to be read, or `None` if it need not be.
    pub(super) fn see(&mut self, stamps: Stamps) -> Option<Duration> {
        let look = &mut self.look;
        if stamps != look.stamps {
            look.stamps = stamps;
            look.since = Instant::now();
            look.takes_long = false;
        }
        if look.loading.as_ref().is_some_and(|loading| loading.stamps.are_of_another_wasm(&stamps))
        {
            look.loading = None;
        }
        let changed = look.loaded != Some(stamps);
        let doubtful = look.read_again && !stamps.are_fresh(SystemTime::now());
        if look.loading.is_some() || !(changed || doubtful) {
            return None;
        }
        Some(look.patience.saturating_sub(look.since.elapsed()))
    }

    /// Returns the fingerprints of contents that need not be loaded again.
    pub(super) fn known(&self) -> Vec<[u8; 32]> {
        let live = self.live.as_ref().map(|live| live.version.fingerprint);
        self.read.into_iter().chain(live).collect()
    }

    /// Returns the current stamps, and whether compiling these contents is known to take long.
    pub(super) fn looks(&self) -> (Stamps, bool) {
        (self.look.stamps, self.look.takes_long)
    }

    /// Records the task that reads the contents with these stamps.
    pub(super) fn begin_loading(&mut self, task: AbortHandle, stamps: Stamps) {
        self.look.loading = Some(Loading { task, stamps });
    }

    /// Tells whether that task is the current one. Results of other tasks are ignored.
    pub(super) fn is_loaded_by(&self, task: task::Id) -> bool {
        self.look.loading.as_ref().is_some_and(|loading| loading.task.id() == task)
    }

    pub(super) fn is_loading(&self) -> bool {
        self.look.loading.is_some()
    }

    /// Notes that compiling takes long. Loading starts again once a turn for long compilations is free.
    pub(super) fn wait_for_turn(&mut self) {
        self.look.loading = None;
        self.look.takes_long = true;
    }

    /// Notes that the contents with these stamps were read, beginning at `began`.
    pub(super) fn finish_loading(&mut self, stamps: Stamps, began: SystemTime) {
        self.look.loading = None;
        self.look.loaded = Some(stamps);
        self.look.read_again = stamps.are_fresh(began);
    }

    /// Handles contents that equal those read last, or the live version.
    pub(super) fn is_unchanged(&mut self, fingerprint: [u8; 32]) {
        let live = self.live.as_mut().filter(|live| live.version.fingerprint == fingerprint);
        if self.read != Some(fingerprint)
            && let Some(live) = live
        {
            // The versions in between, and the reasons why they were refused, are obsolete.
            live.rolled_back = false;
            self.candidate = None;
            self.refused = None;
            self.stop_canary();
        }
        self.read = Some(fingerprint);
        self.look.patience = Duration::ZERO;
    }

    /// Makes the version the candidate.
    pub(super) fn offer(&mut self, version: FileVersion) {
        self.read = Some(version.fingerprint);
        self.look.patience = Duration::ZERO;
        self.candidate = Some(version);
    }

    /// Records why the version in the file is not live. Returns the change, once for each reason.
    pub(super) fn refuse(&mut self, error: &LoadError) -> Option<FolderChange> {
        if !matches!(error, LoadError::Conflict { .. }) {
            self.read = None;
            self.candidate = None;
            self.look.patience = (self.look.patience * 2).clamp(SETTLE * 2, MAX_PATIENCE);
        }
        let reason = clipped(&error.to_string(), MAX_TEXT_BYTES).into_owned();
        if self.refused.as_ref() == Some(&reason) {
            return None;
        }
        self.refused = Some(reason.clone());
        let still_live = self.live().map(|plugin| plugin.version().into());
        Some(FolderChange::Refused { reason, still_live })
    }

    /// Replaces the live version with the candidate.
    pub(super) fn go_live(&mut self) {
        let Some(version) = self.candidate.take() else { return };
        self.stop_canary();
        self.activate(version, false, None);
    }

    /// Returns the percentage of users that the candidate has to serve as a canary first. `None` if it can go live at once.
    pub(super) fn share_of_candidate(&self) -> Option<u32> {
        self.live.as_ref()?;
        self.candidate.as_ref()?.plugin.policy().promote.canary()
    }

    /// Makes the candidate the canary, for `share` percent of the users.
    pub(super) fn begin_canary(&mut self, share: u32, judged: mpsc::Sender<Judged>) {
        let Some(FileVersion { plugin, fingerprint }) = self.candidate.take() else { return };
        self.stop_canary();
        plugin.begin_live();
        let canary = Arc::new(Canary::begin(plugin, share, judged));
        self.trying = Some(Trying { fingerprint, canary });
        self.refused = None;
    }

    /// Ends the canary, if there is one, and returns its version.
    fn stop_canary(&mut self) -> Option<FileVersion> {
        let Trying { fingerprint, canary } = self.trying.take()?;
        canary.plugin().end_live();
        Some(FileVersion { plugin: Arc::clone(canary.plugin()), fingerprint })
    }

    /// Makes the canary live. `None` if `version` is not the canary any more.
    pub(super) fn promote(&mut self, version: &str, reason: String) -> Option<Arc<Plugin>> {
        self.canary().filter(|canary| canary.plugin().version() == version)?;
        let version = self.stop_canary()?;
        let plugin = Arc::clone(&version.plugin);
        self.activate(version, false, Some(reason));
        Some(plugin)
    }

    /// Ends a canary that was found worse. `None` if `version` is not the canary any more.
    pub(super) fn dismiss(&mut self, version: &str, reason: String) -> Option<()> {
        self.canary().filter(|canary| canary.plugin().version() == version)?;
        self.stop_canary()?;
        self.refused = Some(reason);
        Some(())
    }

    pub(super) fn canary(&self) -> Option<&Arc<Canary>> {
        self.trying.as_ref().map(|trying| &trying.canary)
    }

    /// Exchanges the live version and the one before.
    pub(super) fn roll_back(&mut self) {
        let Some(version) = self.before.take() else { return };
        // A waiting candidate would undo the rollback at the next change in the folder.
        self.candidate = None;
        self.stop_canary();
        self.activate(version, true, None);
    }

    fn activate(&mut self, version: FileVersion, rolled_back: bool, promoted: Option<String>) {
        version.plugin.begin_live();
        let live = ActiveVersion { version, since: SystemTime::now(), rolled_back, promoted };
        self.before = self.live.replace(live).map(|live| live.version);
        if let Some(before) = &self.before {
            before.plugin.end_live();
        }
        self.refused = None;
    }

    pub(super) fn live(&self) -> Option<&Arc<Plugin>> {
        self.live.as_ref().map(|live| &live.version.plugin)
    }

    pub(super) fn candidate(&self) -> Option<&FileVersion> {
        self.candidate.as_ref()
    }

    pub(super) fn before(&self) -> Option<&FileVersion> {
        self.before.as_ref()
    }

    pub(super) fn status(&self, name: &str) -> FileStatus {
        FileStatus {
            name: name.to_owned(),
            live: self.live.as_ref().map(|live| LiveStatus {
                plugin: Arc::clone(&live.version.plugin),
                since: live.since,
                rolled_back: live.rolled_back,
                promoted: live.promoted.clone(),
            }),
            canary: self.canary().map(Arc::clone),
            before: self.before.as_ref().map(|before| before.plugin.version().to_owned()),
            refused: self.refused.clone(),
        }
    }
}
