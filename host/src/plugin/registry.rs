//! The plugins that are live: an immutable snapshot, exchanged as a whole.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use arc_swap::ArcSwap;
use lark_wire::secret::Secret;

use crate::bindings::handlers::exports::lark::callback::callback_handler;
use crate::bindings::handlers::exports::lark::callback::card_action_handler;
use crate::bindings::handlers::exports::lark::callback::event_handler;
use crate::bindings::handlers::exports::lark::callback::legacy_card_handler;
use crate::bindings::handlers::exports::lark::callback::link_preview_handler;
use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::fallback::OwnWords;
use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::callback::seal::SealKey;
use crate::capability::config::ConfigCtx;
use crate::capability::http::Destinations;
use crate::capability::http::HttpWay;
use crate::capability::key_value::Buckets;
use crate::capability::open_api::ApiAccess;
use crate::plugin::allow::Allow;
use crate::plugin::breaker::Breaker;
use crate::plugin::canary::Canary;
use crate::plugin::code::CodeSource;
use crate::plugin::command::Command;
use crate::plugin::kept::Kept;
use crate::plugin::limits::Limits;
use crate::plugin::limits::MemoryBudget;
use crate::plugin::linked::Linked;
use crate::plugin::manifest::ClicksConfig;
use crate::plugin::manifest::EventsConfig;
use crate::plugin::manifest::KeepPreviews;
use crate::plugin::manifest::PreviewsConfig;
use crate::plugin::promote::PromoteConfig;
use crate::plugin::promote::Rehearsed;
use crate::plugin::route::ActionValue;
use crate::plugin::route::Route;
use crate::plugin::route_index::Place;
use crate::plugin::route_index::RouteIndex;
use crate::plugin::runnable::Running;
use crate::plugin::running::Pace;
use crate::plugin::usage::Usage;
use crate::store::Store;
use crate::telemetry::PluginVersion;
use crate::telemetry::events::PLUGIN_FREED;

/// A compiled and linked plugin with everything its calls need.
pub struct Plugin {
    pub(super) app: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) version: Arc<str>,
    /// What its calls run.
    pub(super) running: Running,
    /// What it exports. A call finds its handler by what it runs.
    pub(super) handlers: Handlers,
    pub(super) code_source: CodeSource,
    pub(super) code_took: Duration,
    pub(super) routes: Vec<Route>,
    pub(super) still_working: Option<OwnWords>,
    pub(super) limits: Limits,
    pub(super) allow: Allow,
    pub(super) seal_key: SealKey,
    pub(super) events: EventsConfig,
    pub(super) clicks: ClicksConfig,
    pub(super) previews: PreviewsConfig,
    pub(super) promote: PromoteConfig,
    /// What the journal has shown of it before it went live.
    pub(super) rehearsed: OnceLock<Rehearsed>,
    pub(super) not_granted: Vec<String>,
    pub(super) open_api: Arc<ApiAccess>,
    pub(super) buckets: Buckets,
    pub(super) destinations: Destinations,
    pub(super) http: HttpWay,
    pub(super) store: Store,
    pub(super) settings: ConfigCtx,
    pub(super) budget: MemoryBudget,
    pub(super) places: u32,
    pub(super) breaker: Arc<Breaker>,
    pub(super) usage: Usage,
    pub(super) pace: Arc<Pace>,
    pub(super) kept: Kept,
    /// Set when it answers callbacks for the first time.
    pub(super) went_live: OnceLock<()>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // Nobody was waiting for the end of one that was never called.
        if self.went_live.get().is_some() {
            let (app, plugin, version) = (&self.app, &self.name, &self.version);
            tracing::info!(%app, %plugin, %version, "{PLUGIN_FREED}");
        }
    }
}

impl Plugin {
    /// The name of its file, without the ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first 12 hex digits of the file's SHA-256.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What one call may use up.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many of the host's places one call takes.
    pub fn places(&self) -> u32 {
        self.places
    }

    /// Whether it may be called.
    pub fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// What it has done so far.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// For the log.
    pub fn identity(&self) -> PluginVersion {
        PluginVersion { name: Arc::clone(&self.name), version: Arc::clone(&self.version) }
    }

    /// What it exports.
    pub fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    /// Which callbacks it takes: at least one route, which may be empty and then matches everything.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Callbacks reach it from now on, with a clean record.
    pub(super) fn begin_live(&self) {
        // Set already in one that an operator takes back.
        let _ = self.went_live.set(());
        self.breaker.reset();
        self.kept.open();
    }

    /// They reach another version.
    pub(super) fn end_live(&self) {
        self.kept.close();
    }

    /// The interfaces that it asks the host for.
    pub fn imports(&self) -> Vec<String> {
        self.running.current().linked.imports()
    }

    /// What it imports without a grant for it, a sentence each.
    pub fn not_granted(&self) -> &[String] {
        &self.not_granted
    }

    /// How long its code took to be had, from the compiler or from the disk.
    pub fn had_code_in(&self) -> Duration {
        self.code_took
    }

    /// The largest of its memories before a call has done anything, where that can be told.
    pub fn initial_memory(&self) -> Option<u64> {
        /// WebAssembly counts in these.
        const PAGE_BYTES: u64 = 64 << 10;
        let needed = self.running.current().linked.resources()?;
        Some(needed.max_initial_memory_size? * PAGE_BYTES)
    }

    /// A program begins anew with every callback; everything else may answer several.
    pub fn can_be_reused(&self) -> bool {
        self.handlers.command.is_none()
    }

    /// Where its code was had from.
    pub fn code_source(&self) -> CodeSource {
        self.code_source
    }

    /// Instances are kept from now on, though it is live nowhere.
    pub(super) fn keep_instances(&self) {
        self.kept.open();
    }

    /// What it wants said when an answer is due and it is still at it.
    pub fn still_working(&self) -> Option<&OwnWords> {
        self.still_working.as_ref()
    }

    /// Who may click what comes by that route.
    pub fn allow<'a>(&'a self, route: &'a Route) -> &'a Allow {
        route.allow.as_ref().unwrap_or(&self.allow)
    }

    /// What its operator gave it and nobody else shall see.
    pub fn secrets(&self) -> &[Secret] {
        self.settings.secrets()
    }

    /// What its values are sealed with.
    pub fn seal_key(&self) -> &SealKey {
        &self.seal_key
    }

    /// The oldest event that it wants, if that matters to it.
    pub fn oldest_event(&self) -> Option<Duration> {
        self.events.max_age()
    }

    /// How long the same click is the same click, if it is at all.
    pub fn repeat_window(&self) -> Option<Duration> {
        self.clicks.repeat_window()
    }

    /// How long its previews are kept, if they are.
    pub fn keep_previews(&self) -> Option<KeepPreviews> {
        self.previews.keep()
    }

    /// Whether both claim the same callbacks, so that nobody could tell which of them answers.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.handlers.overlaps(&other.handlers)
            && self.routes.iter().any(|route| other.routes.contains(route))
    }
}

/// Where a plugin's handlers are, for those it exports.
#[derive(Default)]
pub struct Handlers {
    pub(super) card_action: Option<card_action_handler::GuestIndices>,
    pub(super) link_preview: Option<link_preview_handler::GuestIndices>,
    pub(super) legacy_card: Option<legacy_card_handler::GuestIndices>,
    pub(super) event: Option<event_handler::GuestIndices>,
    pub(super) callback: Option<callback_handler::GuestIndices>,
    /// Where there is no handler: the program takes every callback as JSON.
    pub(super) command: Option<Command>,
    pub(super) info: Option<plugin_info::GuestIndices>,
}

impl Handlers {
    /// Finds them. An interface of the right name and the wrong shape is as good as none, and then so is the plugin.
    pub(super) fn find(linked: &Linked) -> Option<Self> {
        let instance_pre = match linked {
            Linked::Component(instance_pre) => instance_pre,
            Linked::Program(_) => {
                return Some(Self { command: Some(Command::Program), ..Self::default() });
            }
        };
        let mut handlers = Self {
            card_action: card_action_handler::GuestIndices::new(instance_pre).ok(),
            link_preview: link_preview_handler::GuestIndices::new(instance_pre).ok(),
            legacy_card: legacy_card_handler::GuestIndices::new(instance_pre).ok(),
            event: event_handler::GuestIndices::new(instance_pre).ok(),
            callback: callback_handler::GuestIndices::new(instance_pre).ok(),
            command: None,
            info: plugin_info::GuestIndices::new(instance_pre).ok(),
        };
        if handlers.names().is_empty() {
            handlers.command = Command::exported(instance_pre);
        }
        (!handlers.names().is_empty()).then_some(handlers)
    }

    /// Whether there is one made for that kind of callback.
    pub fn typed(&self, kind: Kind) -> bool {
        match kind {
            Kind::CardAction => self.card_action.is_some(),
            Kind::LinkPreview => self.link_preview.is_some(),
            Kind::LegacyCard => self.legacy_card.is_some(),
            Kind::Other => self.event.is_some(),
        }
    }

    /// Whether there is one that takes JSON.
    pub fn json(&self) -> bool {
        self.callback.is_some() || self.command.is_some()
    }

    /// As they are called in the contract, and `command` for a program.
    pub fn names(&self) -> Vec<&'static str> {
        [
            ("card-action-handler", self.card_action.is_some()),
            ("link-preview-handler", self.link_preview.is_some()),
            ("legacy-card-handler", self.legacy_card.is_some()),
            ("event-handler", self.event.is_some()),
            ("callback-handler", self.callback.is_some()),
            ("command", self.command.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, present)| present.then_some(name))
        .collect()
    }

    fn overlaps(&self, other: &Self) -> bool {
        // A program and a `callback-handler` take the same things.
        (self.json() && other.json())
            || self.names().iter().any(|name| other.names().contains(name))
    }
}

/// The plugins of one app at one moment. A callback sees one snapshot from start to end.
#[derive(Debug, Default)]
pub struct Snapshot {
    plugins: Vec<Arc<Plugin>>,
    routes: RouteIndex,
    canaries: Vec<Arc<Canary>>,
}

impl Snapshot {
    /// Of these, in the order of their names.
    pub fn new(plugins: Vec<Arc<Plugin>>) -> Self {
        let routes = RouteIndex::new(plugins.iter().map(|plugin| plugin.routes()));
        Self { plugins, routes, canaries: Vec::new() }
    }

    /// The plugin with the narrowest route that takes that callback, among those that `may`.
    pub fn narrowest(
        &self,
        callback: &Callback,
        value: &mut ActionValue,
        may: impl Fn(&Plugin, &Route) -> bool,
    ) -> Option<(&Arc<Plugin>, &Route)> {
        let at = |place: Place| {
            let plugin = &self.plugins[place.plugin];
            (plugin, &plugin.routes[place.route])
        };
        let takes = |place, value: &mut ActionValue| {
            let (plugin, route) = at(place);
            may(plugin, route) && route.matches(callback, value)
        };
        self.routes.narrowest(callback, value, takes).map(at)
    }

    /// With new versions of some of them, which have a share of the users.
    pub(super) fn with_canaries(mut self, canaries: Vec<Arc<Canary>>) -> Self {
        self.canaries = canaries;
        self
    }

    /// The new version that may take that one's place.
    pub fn canary(&self, plugin: &Plugin) -> Option<&Arc<Canary>> {
        self.canaries.iter().find(|canary| canary.plugin().name == plugin.name)
    }
}

/// The current snapshot of one app.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<ArcSwap<Snapshot>>);

impl Registry {
    /// What is live now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
