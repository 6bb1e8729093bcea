//! A loaded plugin: one version of one file, with what it runs, what is wanted of it, and what it has done.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use lark_wire::secret::Secret;

use crate::callback::seal::SealKey;
use crate::capability::access::PluginId;
use crate::plugin::breaker::Breaker;
use crate::plugin::policy::Policy;
use crate::plugin::rehearsed::Rehearsed;
use crate::plugin::route::Route;
use crate::plugin::usage::Usage;
use crate::record::PluginVersion;
use crate::runtime::code::CodeSource;
use crate::runtime::handlers::Handlers;
use crate::runtime::limits::Limits;
use crate::runtime::unit::Unit;
use crate::telemetry::events::PLUGIN_FREED;

/// A loaded plugin.
pub struct Plugin {
    id: PluginId,
    unit: Arc<Unit>,
    policy: Policy,
    provenance: Provenance,
    record: Record,
}

/// How a plugin came to be loaded.
pub struct Provenance {
    /// Where its code was had from.
    pub code_source: CodeSource,
    /// How long it took to have the code, from the compiler or from the disk.
    pub code_load_time: Duration,
    /// What it imports without a grant for it, a sentence each.
    pub not_granted: Vec<String>,
}

/// What a plugin has done so far.
struct Record {
    breaker: Arc<Breaker>,
    usage: Usage,
    /// What the journal has shown of it before it went live.
    rehearsed: OnceLock<Rehearsed>,
    /// Set when it answers callbacks for the first time.
    went_live: OnceLock<()>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("name", &self.id.name)
            .field("version", &self.id.version)
            .finish_non_exhaustive()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // Nobody was waiting for the end of one that was never called.
        if self.record.went_live.get().is_some() {
            let PluginId { app, name: plugin, version } = &self.id;
            tracing::info!(%app, %plugin, %version, "{PLUGIN_FREED}");
        }
    }
}

impl Plugin {
    /// One that has done nothing yet.
    pub fn new(unit: Arc<Unit>, policy: Policy, provenance: Provenance, breaker: Breaker) -> Self {
        let record = Record {
            breaker: Arc::new(breaker),
            usage: Usage::default(),
            rehearsed: OnceLock::new(),
            went_live: OnceLock::new(),
        };
        Self { id: unit.access().id.clone(), unit, policy, provenance, record }
    }

    /// Which plugin it is.
    pub fn id(&self) -> &PluginId {
        &self.id
    }

    /// The name of its file, without the ending.
    pub fn name(&self) -> &str {
        &self.id.name
    }

    /// The first 12 hex digits of the file's SHA-256.
    pub fn version(&self) -> &str {
        &self.id.version
    }

    /// For the log.
    pub fn identity(&self) -> PluginVersion {
        PluginVersion { name: Arc::clone(&self.id.name), version: Arc::clone(&self.id.version) }
    }

    /// What its calls run.
    pub fn unit(&self) -> &Arc<Unit> {
        &self.unit
    }

    /// What one call may use up.
    pub fn limits(&self) -> &Limits {
        self.unit.limits()
    }

    /// How many of the host's places one call takes.
    pub fn places(&self) -> u32 {
        self.unit.places()
    }

    /// What it exports.
    pub fn handlers(&self) -> &Handlers {
        self.unit.handlers()
    }

    /// How it came to be loaded.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// What its operator gave it and nobody else shall see.
    pub fn secrets(&self) -> &[Secret] {
        self.unit.access().settings.secrets()
    }

    /// What its values are sealed with.
    pub fn seal_key(&self) -> &SealKey {
        &self.unit.access().seal_key
    }

    /// What is wanted done with its callbacks.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Which callbacks it takes: at least one route, which may be empty and then matches everything.
    pub fn routes(&self) -> &[Route] {
        &self.policy.routes
    }

    /// Whether it may be called.
    pub fn breaker(&self) -> &Arc<Breaker> {
        &self.record.breaker
    }

    /// What it has done so far.
    pub fn usage(&self) -> &Usage {
        &self.record.usage
    }

    /// What the journal has shown of it before it went live.
    pub fn rehearsed(&self) -> Option<&Rehearsed> {
        self.record.rehearsed.get()
    }

    /// Keeps what the journal has shown of it. A version is rehearsed once.
    pub fn record_rehearsal(&self, shown: Rehearsed) {
        let _ = self.record.rehearsed.set(shown);
    }

    /// Callbacks reach it from now on, with a clean record.
    pub fn begin_live(&self) {
        // Set already in one that an operator takes back.
        let _ = self.record.went_live.set(());
        self.record.breaker.reset();
        self.unit.open_pool();
    }

    /// They reach another version.
    pub fn end_live(&self) {
        self.unit.close_pool();
    }

    /// Whether both claim the same callbacks, so that nobody could tell which of them answers.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.handlers().overlaps(other.handlers())
            && self.routes().iter().any(|route| other.routes().contains(route))
    }
}
