//! One `name.wasm` and what became of it: which version is live, which was, which waits, and why one is not.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::task;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::plugin::canary::Canary;
use crate::plugin::canary::Judged;
use crate::plugin::registry::Plugin;
use crate::plugin::reload::listing::Stamps;
use crate::plugin::reload::load::LoadError;
use crate::plugin::reload::watch::SETTLE;
use crate::plugin::status::FileStatus;
use crate::plugin::status::LiveStatus;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::telemetry::events::PLUGIN_REFUSED;

/// A file that is refused and then changes is probably still being written. Each time it is given twice as long, up to
/// this: a copy over a slow network is then refused a handful of times, and not a thousand.
const MAX_PATIENCE: Duration = Duration::from_secs(2);

/// A plugin and what it was made of.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) plugin: Arc<Plugin>,
    pub(super) fingerprint: [u8; 32],
}

struct Live {
    version: Version,
    since: SystemTime,
    rolled_back: bool,
    /// What it has shown as a canary.
    promoted: Option<String>,
}

/// A version with a share of the users.
struct Trying {
    fingerprint: [u8; 32],
    canary: Arc<Canary>,
}

/// What is known of one file in the plugins folder.
pub(super) struct File {
    look: Look,
    /// What was read last, whatever came of it.
    read: Option<[u8; 32]>,
    live: Option<Live>,
    /// Loaded well, and waiting: to be published, or for another plugin to give way.
    candidate: Option<Version>,
    trying: Option<Trying>,
    /// What was live before, for an operator who wants it back.
    before: Option<Version>,
    refused: Option<String>,
}

/// How the file looked, without having been read.
struct Look {
    stamps: Stamps,
    since: Instant,
    loading: Option<Loading>,
    loaded: Option<Stamps>,
    /// Compiling what is there now takes long.
    takes_long: bool,
    /// It was read while it was too young to tell a later change by its stamps.
    read_again: bool,
    /// How long it has to stay as it is before it is read.
    patience: Duration,
}

/// The task that loads a file. It ends when this is dropped: nobody wants a version any more whose file is gone, and its
/// compiler would go on for minutes.
struct Loading {
    task: AbortHandle,
    stamps: Stamps,
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl File {
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

    /// It looks like this now. `Some` if it has to be read, and in how long.
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

    /// The contents that need no second look.
    pub(super) fn known(&self) -> Vec<[u8; 32]> {
        let live = self.live.as_ref().map(|live| live.version.fingerprint);
        self.read.into_iter().chain(live).collect()
    }

    /// What it looks like now, and whether compiling that is known to take long.
    pub(super) fn looks(&self) -> (Stamps, bool) {
        (self.look.stamps, self.look.takes_long)
    }

    /// That task reads what looks like this.
    pub(super) fn begin_loading(&mut self, task: AbortHandle, stamps: Stamps) {
        self.look.loading = Some(Loading { task, stamps });
    }

    /// Whether that task is the one whose result counts.
    pub(super) fn is_loaded_by(&self, task: task::Id) -> bool {
        self.look.loading.as_ref().is_some_and(|loading| loading.task.id() == task)
    }

    pub(super) fn is_loading(&self) -> bool {
        self.look.loading.is_some()
    }

    /// Nothing came of it yet: it is begun again when a turn for what takes long has come.
    pub(super) fn wait_for_turn(&mut self) {
        self.look.loading = None;
        self.look.takes_long = true;
    }

    /// What looked like this was read.
    pub(super) fn finish_loading(&mut self, stamps: Stamps, began: SystemTime) {
        self.look.loading = None;
        self.look.loaded = Some(stamps);
        self.look.read_again = stamps.are_fresh(began);
    }

    /// It was written again with what it held before, or with what is live.
    pub(super) fn is_as_before(&mut self, fingerprint: [u8; 32]) {
        let live = self.live.as_mut().filter(|live| live.version.fingerprint == fingerprint);
        if self.read != Some(fingerprint)
            && let Some(live) = live
        {
            // What was tried in between is gone, and so is what was wrong with it.
            live.rolled_back = false;
            self.candidate = None;
            self.refused = None;
            self.end_trying();
        }
        self.read = Some(fingerprint);
        self.look.patience = Duration::ZERO;
    }

    /// A version that may go live.
    pub(super) fn offer(&mut self, version: Version) {
        self.read = Some(version.fingerprint);
        self.look.patience = Duration::ZERO;
        self.candidate = Some(version);
    }

    /// Says why not, once for each reason.
    pub(super) fn refuse(&mut self, app: &str, name: &str, error: &LoadError) {
        if !matches!(error, LoadError::Conflict { .. }) {
            self.read = None;
            self.candidate = None;
            self.look.patience = (self.look.patience * 2).clamp(SETTLE * 2, MAX_PATIENCE);
        }
        let reason = clipped(&error.to_string(), MAX_TEXT_BYTES).into_owned();
        if self.refused.as_ref() == Some(&reason) {
            return;
        }
        let still_live = self.live().map(|plugin| plugin.version());
        tracing::error!(app, plugin = name, reason, still_live, "{PLUGIN_REFUSED}");
        self.refused = Some(reason);
    }

    /// The candidate takes the place of what is live.
    pub(super) fn go_live(&mut self) {
        let Some(version) = self.candidate.take() else { return };
        self.end_trying();
        self.put_live(version, false, None);
    }

    /// How many of a hundred users the candidate is to have first, if it is.
    pub(super) fn share_of_candidate(&self) -> Option<u32> {
        self.live.as_ref()?;
        self.candidate.as_ref()?.plugin.promote.canary()
    }

    /// The candidate has them from now on.
    pub(super) fn begin_trying(&mut self, share: u32, judged: mpsc::Sender<Judged>) {
        let Some(Version { plugin, fingerprint }) = self.candidate.take() else { return };
        self.end_trying();
        plugin.begin_live();
        let canary = Arc::new(Canary::begin(plugin, share, judged));
        self.trying = Some(Trying { fingerprint, canary });
        self.refused = None;
    }

    /// Nobody is tried any more. Returns who was.
    fn end_trying(&mut self) -> Option<Version> {
        let Trying { fingerprint, canary } = self.trying.take()?;
        canary.plugin().end_live();
        Some(Version { plugin: Arc::clone(canary.plugin()), fingerprint })
    }

    /// That version has shown enough. `None`: it is not being tried any more.
    pub(super) fn promote(&mut self, version: &str, reason: String) -> Option<()> {
        self.canary().filter(|canary| canary.plugin().version() == version)?;
        let version = self.end_trying()?;
        self.put_live(version, false, Some(reason));
        Some(())
    }

    /// That version has shown that it is worse. `None`: likewise.
    pub(super) fn dismiss(&mut self, version: &str, reason: String) -> Option<()> {
        self.canary().filter(|canary| canary.plugin().version() == version)?;
        self.end_trying()?;
        self.refused = Some(reason);
        Some(())
    }

    pub(super) fn canary(&self) -> Option<&Arc<Canary>> {
        self.trying.as_ref().map(|trying| &trying.canary)
    }

    /// What was live before takes the place of what is, and the other way round.
    pub(super) fn roll_back(&mut self) {
        let Some(version) = self.before.take() else { return };
        // A version that waits would undo it with the next change of anything.
        self.candidate = None;
        self.end_trying();
        self.put_live(version, true, None);
    }

    fn put_live(&mut self, version: Version, rolled_back: bool, promoted: Option<String>) {
        version.plugin.begin_live();
        let live = Live { version, since: SystemTime::now(), rolled_back, promoted };
        self.before = self.live.replace(live).map(|live| live.version);
        if let Some(before) = &self.before {
            before.plugin.end_live();
        }
        self.refused = None;
    }

    pub(super) fn live(&self) -> Option<&Arc<Plugin>> {
        self.live.as_ref().map(|live| &live.version.plugin)
    }

    pub(super) fn candidate(&self) -> Option<&Version> {
        self.candidate.as_ref()
    }

    pub(super) fn before(&self) -> Option<&Version> {
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
