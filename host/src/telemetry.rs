//! What the host says about itself: one log line for each callback, counters, and nothing secret in either.

pub mod collector;
pub mod history;
mod lines;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::counter;
use metrics::gauge;
use metrics::histogram;
use metrics_exporter_prometheus::Matcher;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Deserialize;
use tokio::sync::broadcast;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::steps::Span;
use crate::steps::Steps;
use crate::telemetry::history::History;
use crate::telemetry::lines::Lines;

pub use crate::telemetry::lines::flush;

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Machines read `json`, people read `text`.
    pub format: LogFormat,
    /// A level, or directives as `tracing` has them: `info`, `aviary=debug`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object in each line.
    Json,
    /// For a terminal.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The level is not one.
    #[error("log.level: {0}")]
    Level(#[from] ParseError),
    /// Its thread could not be started.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[from] std::io::Error),
}

/// Starts logging to standard error. A second call in one process changes nothing. Whoever calls it calls [`flush`] in the
/// end.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.level)?;
    let lines = Lines::start()?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_span_events(FmtSpan::NONE)
        .with_target(false);
    // Only an already installed subscriber makes this fail, and then that one is the right one.
    let _already_set = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    Ok(())
}

/// How a callback ended. Each has its own count and its own word in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin's reply went out.
    Answered,
    /// The plugin said that it failed.
    PluginFailure,
    /// The plugin was still at it when the answer was due.
    Deadline,
    /// It used up its CPU budget.
    OutOfFuel,
    /// It wanted more memory than it may have.
    OutOfMemory,
    /// It crashed.
    Trap,
    /// Its reply, or a part of it, broke a rule of the platform.
    InvalidReply,
    /// No plugin takes this callback.
    NoHandler,
    /// Too many calls were under way.
    Overload,
    /// The plugin is paused because it kept failing.
    Paused,
    /// The same has happened before: it got the same answer.
    Repeated,
    /// The preview was made a moment ago.
    Cached,
    /// Whoever clicked may not, or the value is not as it was sealed.
    Refused,
    /// The event is older than the plugin wants it.
    TooOld,
    /// The host took it for itself: no plugin is asked.
    Host,
}

impl Outcome {
    /// Whether somebody should look why. Refusing whoever may not click is what the host was told to do.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Answered
            | Self::Repeated
            | Self::Cached
            | Self::Refused
            | Self::TooOld
            | Self::Host => false,
            Self::PluginFailure
            | Self::Deadline
            | Self::OutOfFuel
            | Self::OutOfMemory
            | Self::Trap
            | Self::InvalidReply
            | Self::NoHandler
            | Self::Overload
            | Self::Paused => true,
        }
    }

    /// As it stands in the log and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::PluginFailure => "plugin_failure",
            Self::Deadline => "deadline",
            Self::OutOfFuel => "out_of_fuel",
            Self::OutOfMemory => "out_of_memory",
            Self::Trap => "trap",
            Self::InvalidReply => "invalid_reply",
            Self::NoHandler => "no_handler",
            Self::Overload => "overload",
            Self::Paused => "paused",
            Self::Repeated => "repeated",
            Self::Cached => "cached",
            Self::Refused => "refused",
            Self::TooOld => "too_old",
            Self::Host => "host",
        }
    }
}

/// The way a callback came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// HTTP.
    Webhook,
    /// WebSocket.
    LongConnection,
}

impl Door {
    /// As it stands in the log and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::LongConnection => "long_connection",
        }
    }
}

/// What the line about a callback says.
#[derive(Clone, Debug)]
pub struct CallbackRecord {
    /// Which app it was for.
    pub app: Arc<str>,
    /// The way it came in.
    pub door: Door,
    /// Absent where the platform gave none.
    pub event_id: Option<String>,
    /// For example `card.action.trigger`.
    pub event_type: String,
    /// The plugin that was called.
    pub plugin: Option<PluginVersion>,
    /// Absent where no call ended before the answer.
    pub fuel: Option<u64>,
    /// Since the first byte.
    pub elapsed: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it did not end well.
    pub reason: Option<String>,
    /// Where the time went. That the answer was sent is seen there a moment later.
    pub steps: Steps,
    /// What the plugin asked of the host, where a journal is kept or somebody observes.
    pub host_calls: Arc<[HostCallTime]>,
}

/// One call of the host by a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCallTime {
    /// Interface and function, for example `open-api.call`.
    pub call: Cow<'static, str>,
    /// When, and for how long.
    pub span: Span,
}

/// Which plugin, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVersion {
    /// The file's name.
    pub name: Arc<str>,
    /// The first 12 hex digits of the file's SHA-256.
    pub version: Arc<str>,
}

/// Records that a slow observer may be behind before it loses the oldest.
const OBSERVED: usize = 4096;

/// Those who want to see every callback as it ends.
#[derive(Clone, Debug)]
pub struct Observers {
    subscribers: broadcast::Sender<Arc<CallbackRecord>>,
    history: Option<Arc<History>>,
}

impl Observers {
    /// None yet, but for that history.
    pub fn new(history: Option<Arc<History>>) -> Self {
        Self { subscribers: broadcast::Sender::new(OBSERVED), history }
    }

    /// Every callback from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<CallbackRecord>> {
        self.subscribers.subscribe()
    }

    /// Whether there is one.
    pub fn are_there(&self) -> bool {
        self.history.is_some() || self.subscribers.receiver_count() > 0
    }

    /// Writes the one line, counts, and tells the observers.
    pub fn record(&self, record: &CallbackRecord) {
        log_callback(record);
        if let Some(history) = &self.history {
            history.note(record);
        }
        if self.subscribers.receiver_count() > 0 {
            // The last observer may have left in between.
            let _ = self.subscribers.send(Arc::new(record.clone()));
        }
    }
}

fn log_callback(record: &CallbackRecord) {
    let (door, outcome) = (record.door.as_str(), record.outcome.as_str());
    let ms = record.elapsed.as_secs_f64() * 1000.0;
    let plugin = record.plugin.as_ref().map(|plugin| &*plugin.name);
    let version = record.plugin.as_ref().map(|plugin| &*plugin.version);
    // `tracing` fixes the level of a line at compile time, hence the two of them.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event_id = record.event_id.as_deref(),
                r#type = record.event_type,
                app = %record.app,
                door,
                plugin,
                version,
                fuel = record.fuel,
                ms,
                outcome,
                reason = record.reason.as_deref(),
                "callback"
            )
        };
    }
    // Who is refused again and again is worth a look too.
    if record.outcome.is_failure() || record.outcome == Outcome::Refused {
        line!(warn);
    } else {
        line!(info);
    }
    count_callback(record);
}

fn count_callback(record: &CallbackRecord) {
    let (door, outcome) = (record.door.as_str(), record.outcome.as_str());
    let kind = known_type(&record.event_type);
    let app = || Arc::clone(&record.app);
    // Empty where none takes it, which is no label to Prometheus.
    let plugin = || record.plugin.as_ref().map_or_else(Arc::default, |one| Arc::clone(&one.name));
    counter!(
        "aviary_callbacks_total",
        "app" => app(), "plugin" => plugin(), "type" => kind, "door" => door, "outcome" => outcome
    )
    .increment(1);
    histogram!(
        "aviary_callback_seconds",
        "app" => app(), "plugin" => plugin(), "type" => kind, "door" => door
    )
    .record(record.elapsed.as_secs_f64());
    if let Some(fuel) = record.fuel {
        counter!("aviary_fuel_total", "app" => app(), "plugin" => plugin()).increment(fuel);
    }
}

/// From a tenth of a millisecond to the platform's three seconds.
const BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 3.0];

/// Seconds that a timer fired late: fine where it should be, coarse where it should not.
const LATENESS_BUCKETS: [f64; 14] =
    [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0];
const IO_LATENESS: &str = "aviary_io_late_seconds";

/// Between two looks at whether timers are on time: often enough for a percentile within seconds, seldom enough to cost
/// nothing.
pub const HEARTBEAT: Duration = Duration::from_millis(25);

/// A timer of the I/O threads fired that much late.
pub fn record_io_lateness(late: Duration) {
    histogram!(IO_LATENESS).record(late.as_secs_f64());
}

fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let lateness = Matcher::Full(IO_LATENESS.to_owned());
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?;
        let builder = builder.set_buckets_for_metric(lateness, &LATENESS_BUCKETS).ok()?;
        builder.install_recorder().ok()
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Starts counting. What is counted before is lost.
pub fn start_metrics() {
    if recorder().is_none() {
        tracing::error!("metrics are off: another recorder is installed in this process");
    }
}

/// Everything counted so far, as Prometheus reads it.
pub fn metrics() -> String {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        gauge!("aviary_tasks").set(runtime.metrics().num_alive_tasks() as f64);
    }
    recorder().map_or_else(String::new, |recorder| {
        recorder.run_upkeep();
        recorder.render()
    })
}

/// How often samples are to be folded into their buckets, so that they do not pile up where nobody asks for them.
pub const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Folds them.
pub fn fold_metrics() {
    if let Some(recorder) = recorder() {
        recorder.run_upkeep();
    }
}

/// A label must not take as many values as a stranger can invent.
pub fn known_type(event_type: &str) -> &'static str {
    match event_type {
        crate::callback::model::CARD_ACTION => crate::callback::model::CARD_ACTION,
        crate::callback::model::LINK_PREVIEW => crate::callback::model::LINK_PREVIEW,
        crate::callback::model::LEGACY_CARD => crate::callback::model::LEGACY_CARD,
        _ => "event",
    }
}

/// Something came in that is not a callback, and was turned away. `client` is who sent it, where a door can tell.
pub fn record_rejected(
    app: &str,
    door: Door,
    kind: &'static str,
    reason: &str,
    client: Option<IpAddr>,
) {
    let client = client.map(tracing::field::display);
    tracing::warn!(app, door = door.as_str(), kind, reason, client, "rejected");
    counter!("aviary_rejected_total", "door" => door.as_str(), "reason" => kind).increment(1);
}

/// What became of a reply that came after its deadline. One with a toast and a card counts for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateResult {
    /// Its card is on its way.
    Card,
    /// Its preview is kept for the clients, which are told to ask again.
    Preview,
    /// Its toast has nowhere to appear any more.
    ToastDropped,
    /// There was nothing in it, or nowhere to show it.
    NothingToShow,
    /// It, or a part of it, broke a rule of the platform.
    Invalid,
    /// The plugin failed.
    Failed,
}

/// A reply that came after its deadline has ended, one way or another.
pub fn record_late(result: LateResult) {
    let result = match result {
        LateResult::Card => "card",
        LateResult::Preview => "preview",
        LateResult::ToastDropped => "toast_dropped",
        LateResult::NothingToShow => "nothing_to_show",
        LateResult::Invalid => "invalid",
        LateResult::Failed => "failed",
    };
    counter!("aviary_late_replies_total", "result" => result).increment(1);
}

/// What became of a card update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateResult {
    /// The card is shown.
    Delivered,
    /// The platform refused it.
    Refused,
    /// Its token's half hour is over.
    Expired,
    /// Nobody knows whether it was shown, and the next one was more important.
    Superseded,
    /// Too many were waiting.
    NoRoom,
}

/// A card update has come to its end.
pub fn record_card_update(result: UpdateResult) {
    let result = match result {
        UpdateResult::Delivered => "delivered",
        UpdateResult::Refused => "refused",
        UpdateResult::Expired => "expired",
        UpdateResult::Superseded => "superseded",
        UpdateResult::NoRoom => "no_room",
    };
    counter!("aviary_card_updates_total", "result" => result).increment(1);
}

/// A card update has failed and is tried again.
pub fn record_card_update_retry() {
    counter!("aviary_card_update_retries_total").increment(1);
}

/// One more or one less card update waits.
pub fn add_card_updates_waiting(app: &str, change: f64) {
    gauge!("aviary_card_updates_waiting", "app" => app.to_owned()).increment(change);
}

/// Clients were to be told that a link preview is there, which worked or not.
pub fn record_preview_refresh(result: &'static str) {
    counter!("aviary_preview_refreshes_total", "result" => result).increment(1);
}

/// A plugin wanted something over HTTP: `answered`, whatever the status, `failed` or `refused`.
pub fn record_plugin_request(app: &Arc<str>, plugin: &Arc<str>, result: &'static str) {
    let (app, plugin) = (Arc::clone(app), Arc::clone(plugin));
    counter!("aviary_plugin_requests_total", "app" => app, "plugin" => plugin, "result" => result)
        .increment(1);
}

/// Something was not written to the store.
pub fn record_store_failure() {
    counter!("aviary_store_failures_total").increment(1);
}

/// Callbacks are in the journal.
pub fn record_journal_entries(count: u64) {
    counter!("aviary_journal_entries_total").increment(count);
}

/// Callbacks are missing from it.
pub fn record_journal_drop(reason: &'static str, count: u64) {
    counter!("aviary_journal_dropped_total", "reason" => reason).increment(count);
}

/// A collector has so many callbacks.
pub fn record_traces(count: u64) {
    counter!("aviary_traces_total").increment(count);
}

/// It has not got so many.
pub fn record_trace_drop(reason: &'static str, count: u64) {
    counter!("aviary_traces_dropped_total", "reason" => reason).increment(count);
}

/// Where the code of a plugin was had from, and how long that took.
pub fn record_code_load(source: &'static str, took: Duration) {
    histogram!("aviary_code_load_seconds", "source" => source).record(took.as_secs_f64());
}

/// Compiled code on disk was not used, though it was there.
pub fn record_code_cache_refusal(reason: &'static str) {
    counter!("aviary_code_cache_refused_total", "reason" => reason).increment(1);
}

/// How many plugins answer for an app.
pub fn set_plugins_live(app: &str, count: usize) {
    gauge!("aviary_plugins_live", "app" => app.to_owned()).set(count as f64);
}

/// Whether a plugin is paused for failing.
pub fn set_plugin_paused(app: &str, plugin: &str, paused: bool) {
    gauge!("aviary_plugin_paused", "app" => app.to_owned(), "plugin" => plugin.to_owned())
        .set(f64::from(u8::from(paused)));
}

/// How many callbacks wait for a place among the calls under way.
pub fn set_callbacks_waiting(count: usize) {
    gauge!("aviary_callbacks_waiting").set(count as f64);
}

/// How many of an app's long connections are up, and how many wait for somebody to change something.
pub fn set_connections(app: &str, up: usize, given_up: usize) {
    gauge!("aviary_connections_up", "app" => app.to_owned()).set(up as f64);
    gauge!("aviary_connections_given_up", "app" => app.to_owned()).set(given_up as f64);
}
