//! Counters and timers for Prometheus. Every name and every label is listed here and in `callbacks`.

mod callbacks;
mod series;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metrics::counter;
use metrics::gauge;
use metrics::histogram;
use metrics_exporter_prometheus::Matcher;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::callback::approval::ApprovalKind;
use crate::callback::model;
use crate::record::Door;
use crate::telemetry::metrics::series::Series;

pub(super) use crate::telemetry::metrics::callbacks::record_callback;

/// Bucket bounds in seconds, from a tenth of a millisecond to the platform's three seconds.
const BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 3.0];

/// Bucket bounds for the lateness of timers, in seconds: fine in the healthy range, coarse beyond it.
const LATENESS_BUCKETS: [f64; 14] =
    [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0];
const IO_LATENESS: &str = "aviary_io_late_seconds";

/// The host's own recorder, if it is the recorder of the process.
static OWN: OnceLock<&'static Series> = OnceLock::new();

/// Increases when series may have gone, so that threads look up again the series that they have cached.
static SERIES_AGE: AtomicU64 = AtomicU64::new(0);

fn builder() -> PrometheusBuilder {
    let lateness = Matcher::Full(IO_LATENESS.to_owned());
    let seconds = PrometheusBuilder::new().set_buckets(&BUCKETS);
    let both =
        seconds.and_then(|builder| builder.set_buckets_for_metric(lateness, &LATENESS_BUCKETS));
    // Fails only for a list without buckets.
    both.unwrap_or_default()
}

/// Starts counting. Anything counted before is lost.
pub fn start() {
    if OWN.get().is_some() {
        return;
    }
    // One recorder serves the whole process for as long as it lives.
    let series: &'static Series = Box::leak(Box::new(Series::new(builder)));
    match metrics::set_global_recorder(series) {
        // Another host in this process may have been quicker; then this one's attempt has failed.
        Ok(()) => drop(OWN.set(series)),
        Err(_) if OWN.get().is_some() => {}
        Err(_) => tracing::error!("metrics are off: another recorder is installed in this process"),
    }
}

/// Returns everything counted so far, in the text format of Prometheus.
pub fn render() -> String {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        gauge!("aviary_tasks").set(runtime.metrics().num_alive_tasks() as f64);
    }
    OWN.get().map_or_else(String::new, |own| {
        own.run_upkeep();
        own.render()
    })
}

/// How often [`fold`] is to be called, so that samples do not pile up if nobody reads the metrics.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// Folds samples into their buckets.
pub fn fold() {
    if let Some(own) = OWN.get() {
        own.run_upkeep();
    }
}

/// How often [`renew`] is to be called. A foreign recorder may drop series that were idle for a while, and counts in a dropped
/// series are lost.
pub const RENEWAL: Duration = Duration::from_secs(60);

/// Makes threads look up their cached series again.
pub fn renew() {
    SERIES_AGE.fetch_add(1, Ordering::Relaxed);
}

/// Returns the label of a callback's type. Unknown types share one, so that a stranger cannot invent label values.
pub fn known_type(event_type: &str) -> &'static str {
    match event_type {
        model::CARD_ACTION => model::CARD_ACTION,
        model::LINK_PREVIEW => model::LINK_PREVIEW,
        model::LEGACY_CARD => model::LEGACY_CARD,
        other => ApprovalKind::of_type(other).map_or("event", ApprovalKind::event_type),
    }
}

/// Counts a rejected request that is not a callback.
pub(super) fn record_rejected(door: Door, kind: &'static str) {
    counter!("aviary_rejected_total", "door" => door.as_str(), "reason" => kind).increment(1);
}

/// Interval between two checks whether timers are on time: often enough for a percentile within seconds, seldom enough to cost
/// nothing.
pub const HEARTBEAT: Duration = Duration::from_millis(25);

/// Records how late a timer of the I/O threads fired.
pub fn record_io_lateness(late: Duration) {
    histogram!(IO_LATENESS).record(late.as_secs_f64());
}

/// The result of a reply that came after its deadline. A reply with a toast and a card counts for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateResult {
    /// The card is on its way.
    Card,
    /// The preview is kept for the clients, which are told to ask again.
    Preview,
    /// The toast was dropped, because there is nowhere left to show it.
    ToastDropped,
    /// The reply was empty, or there is nowhere to show it.
    NothingToShow,
    /// The reply, or a part of it, broke a rule of the platform.
    Invalid,
    /// The plugin failed.
    Failed,
}

/// Counts a reply that came after its deadline, by its result.
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

/// The result of a card update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateResult {
    /// The card is shown.
    Delivered,
    /// The platform refused the update.
    Refused,
    /// The half hour of its token is over.
    Expired,
    /// A newer update of the same card replaced it, and it is unknown whether this one was shown.
    Superseded,
    /// Too many updates were waiting.
    NoRoom,
}

/// Counts a card update that has ended, by its result.
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

/// Counts a failed card update that is tried again.
pub fn record_card_update_retry() {
    counter!("aviary_card_update_retries_total").increment(1);
}

/// Changes the number of card updates that wait.
pub fn add_card_updates_waiting(app: &str, change: f64) {
    gauge!("aviary_card_updates_waiting", "app" => app.to_owned()).increment(change);
}

/// Counts an attempt to make clients ask for a link preview again, by its result.
pub fn record_preview_refresh(result: &'static str) {
    counter!("aviary_preview_refreshes_total", "result" => result).increment(1);
}

/// Counts an HTTP request of a plugin: `answered`, whatever the status, `failed` or `refused`.
pub fn record_plugin_request(app: &Arc<str>, plugin: &Arc<str>, result: &'static str) {
    let (app, plugin) = (Arc::clone(app), Arc::clone(plugin));
    counter!("aviary_plugin_requests_total", "app" => app, "plugin" => plugin, "result" => result)
        .increment(1);
}

/// Counts a failed access to the store.
pub fn record_store_failure() {
    counter!("aviary_store_failures_total").increment(1);
}

/// Counts an event that was acknowledged because it is in the inbox, and records the time from its first byte until then.
pub fn record_inbox_stored(app: &Arc<str>, plugin: &Arc<str>, took: Duration) {
    let (app, plugin) = (Arc::clone(app), Arc::clone(plugin));
    histogram!("aviary_inbox_stored_seconds", "app" => app, "plugin" => plugin)
        .record(took.as_secs_f64());
}

/// Counts a try of an entry of the inbox by its result: `done`, `again`, `set_aside`, or `released` if it does not count.
pub fn record_inbox_try(app: &Arc<str>, plugin: &str, result: &'static str) {
    let (app, plugin) = (Arc::clone(app), plugin.to_owned());
    counter!("aviary_inbox_tries_total", "app" => app, "plugin" => plugin, "result" => result)
        .increment(1);
}

/// Sets the number of a plugin's entries in the inbox by their state, and the age of the oldest that is not set aside.
pub fn set_inbox(app: &Arc<str>, plugin: &str, states: [(&'static str, u64); 3], oldest: Duration) {
    for (state, count) in states {
        let (app, plugin) = (Arc::clone(app), plugin.to_owned());
        gauge!("aviary_inbox_entries", "app" => app, "plugin" => plugin, "state" => state)
            .set(count as f64);
    }
    let (app, plugin) = (Arc::clone(app), plugin.to_owned());
    gauge!("aviary_inbox_oldest_seconds", "app" => app, "plugin" => plugin)
        .set(oldest.as_secs_f64());
}

/// Counts callbacks that were written to the journal.
pub fn record_journal_entries(count: u64) {
    counter!("aviary_journal_entries_total").increment(count);
}

/// Counts callbacks that are missing from the journal.
pub fn record_journal_drop(reason: &'static str, count: u64) {
    counter!("aviary_journal_dropped_total", "reason" => reason).increment(count);
}

/// Counts callbacks that a trace collector has taken.
pub fn record_traces(count: u64) {
    counter!("aviary_traces_total").increment(count);
}

/// Counts callbacks that a trace collector has not received.
pub fn record_trace_drop(reason: &'static str, count: u64) {
    counter!("aviary_traces_dropped_total", "reason" => reason).increment(count);
}

/// Records the source of a plugin's code, and how long loading it took.
pub fn record_code_load(source: &'static str, took: Duration) {
    histogram!("aviary_code_load_seconds", "source" => source).record(took.as_secs_f64());
}

/// Counts compiled code on disk that was not used.
pub fn record_code_cache_refusal(reason: &'static str) {
    counter!("aviary_code_cache_refused_total", "reason" => reason).increment(1);
}

/// Sets the plugins that are live for an app. The series of all its other plugins are dropped.
pub fn set_plugins_live<'a>(app: &str, plugins: impl IntoIterator<Item = &'a str>) {
    let plugins: BTreeSet<&str> = plugins.into_iter().collect();
    gauge!("aviary_plugins_live", "app" => app.to_owned()).set(plugins.len() as f64);
    if OWN.get().is_some_and(|own| own.set_plugins(app, &plugins)) {
        // Renewing earlier would let a thread look up again a series that is about to be dropped.
        renew();
    }
}

/// Sets whether a plugin is paused because of failures.
pub fn set_plugin_paused(app: &str, plugin: &str, paused: bool) {
    gauge!("aviary_plugin_paused", "app" => app.to_owned(), "plugin" => plugin.to_owned())
        .set(f64::from(u8::from(paused)));
}

/// Sets the number of callbacks that wait for a place among the calls under way.
pub fn set_callbacks_waiting(count: usize) {
    gauge!("aviary_callbacks_waiting").set(count as f64);
}

/// Sets the number of an app's long connections that are up, and of those that wait for an operator to change something.
pub fn set_connections(app: &str, up: usize, given_up: usize) {
    gauge!("aviary_connections_up", "app" => app.to_owned()).set(up as f64);
    gauge!("aviary_connections_given_up", "app" => app.to_owned()).set(given_up as f64);
}
