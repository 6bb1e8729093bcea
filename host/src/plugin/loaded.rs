//! A loaded plugin: one version of one file, with its code, policy and record.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use lark_card::fault::Fault;
use lark_wire::secret::Secret;

use crate::callback::seal::SealKey;
use crate::capability::access::PluginId;
use crate::plugin::breaker::Breaker;
use crate::plugin::policy::Policy;
use crate::plugin::rehearsed::Rehearsed;
use crate::plugin::route::Route;
use crate::plugin::usage::Usage;
use crate::plugin::warned::Warned;
use crate::record::PluginVersion;
use crate::runtime::code::CodeSource;
use crate::runtime::handlers::Handlers;
use crate::runtime::limits::Limits;
use crate::runtime::unit::Unit;
use crate::telemetry::events::PLUGIN_FREED;

/// One version of a plugin, ready to be called.
pub struct Plugin {
    id: PluginId,
    unit: Arc<Unit>,
    policy: Policy,
    provenance: Provenance,
    record: Record,
}

/// Facts about the loading of a plugin.
pub struct Provenance {
    /// The origin of the code.
    pub code_source: CodeSource,
    /// The time that compiling the code, or reading it from the disk, took.
    pub code_load_time: Duration,
    /// A sentence for each import that is not granted.
    pub not_granted: Vec<String>,
}

/// The history of a plugin's calls.
struct Record {
    breaker: Arc<Breaker>,
    usage: Usage,
    /// The result of its rehearsal, if there was one.
    rehearsed: OnceLock<Rehearsed>,
    /// The likely faults of its cards that the log has.
    warned: Warned,
    /// Set when the plugin goes live for the first time.
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
        // The end of a plugin that was never called interests nobody.
        if self.record.went_live.get().is_some() {
            let PluginId { app, name: plugin, version } = &self.id;
            tracing::info!(%app, %plugin, %version, "{PLUGIN_FREED}");
        }
    }
}

impl Plugin {
    /// Makes a plugin that was not called yet.
    pub fn new(unit: Arc<Unit>, policy: Policy, provenance: Provenance, breaker: Breaker) -> Self {
        let record = Record {
            breaker: Arc::new(breaker),
            usage: Usage::default(),
            rehearsed: OnceLock::new(),
            warned: Warned::default(),
            went_live: OnceLock::new(),
        };
        Self { id: unit.access().id.clone(), unit, policy, provenance, record }
    }

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

    /// Returns the name and version for log lines.
    pub fn identity(&self) -> PluginVersion {
        PluginVersion { name: Arc::clone(&self.id.name), version: Arc::clone(&self.id.version) }
    }

    /// Returns the code and limits that its calls run with.
    pub fn unit(&self) -> &Arc<Unit> {
        &self.unit
    }

    pub fn limits(&self) -> &Limits {
        self.unit.limits()
    }

    /// Returns how many of the host's places one call takes.
    pub fn places(&self) -> u32 {
        self.unit.places()
    }

    /// Returns the handlers that the plugin exports.
    pub fn handlers(&self) -> &Handlers {
        self.unit.handlers()
    }

    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Returns the secrets among its settings, which have to be hidden in logs.
    pub fn secrets(&self) -> &[Secret] {
        self.unit.access().settings.secrets()
    }

    /// Returns the key that seals its button values.
    pub fn seal_key(&self) -> &SealKey {
        &self.unit.access().seal_key
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the routes: at least one. An empty route matches every callback.
    pub fn routes(&self) -> &[Route] {
        &self.policy.routes
    }

    /// Returns the breaker, which decides whether the plugin may be called.
    pub fn breaker(&self) -> &Arc<Breaker> {
        &self.record.breaker
    }

    pub fn usage(&self) -> &Usage {
        &self.record.usage
    }

    /// Writes the likely faults of a reply's card to the log, each place once.
    pub fn warn(&self, warnings: &[Fault]) {
        self.record.warned.write(&self.id, warnings);
    }

    /// Returns the result of its rehearsal with the journal's callbacks, if there was one.
    pub fn rehearsed(&self) -> Option<&Rehearsed> {
        self.record.rehearsed.get()
    }

    /// Keeps the result of the rehearsal. A version is rehearsed once.
    pub fn record_rehearsal(&self, shown: Rehearsed) {
        let _ = self.record.rehearsed.set(shown);
    }

    /// Prepares for callbacks: forgets failures and opens the instance pool.
    pub fn begin_live(&self) {
        // Already set if an operator rolls back to this version.
        let _ = self.record.went_live.set(());
        self.record.breaker.reset();
        self.unit.open_pool();
    }

    /// Closes the instance pool: callbacks go to another version from now on.
    pub fn end_live(&self) {
        self.unit.close_pool();
    }

    /// Tells whether both plugins claim the same callbacks, so that the choice between them would be arbitrary.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.handlers().overlaps(other.handlers())
            && self.routes().iter().any(|route| other.routes().contains(route))
    }
}
