//! What is counted and timed, as Prometheus reads it. Every name and every label stands here and in `callbacks`.

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

use crate::callback::model;
use crate::record::Door;
use crate::telemetry::metrics::series::Series;

pub(super) use crate::telemetry::metrics::callbacks::record_callback;

/// From a tenth of a millisecond to the platform's three seconds.
const BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 3.0];

/// Seconds that a timer fired late: fine where it should be, coarse where it should not.
const LATENESS_BUCKETS: [f64; 14] =
    [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0];
const IO_LATENESS: &str = "aviary_io_late_seconds";

/// The host's own recorder, where it is the process's.
static OWN: OnceLock<&'static Series> = OnceLock::new();

/// Goes up when series may have gone: what a thread has looked up before is then looked up again.
static SERIES_AGE: AtomicU64 = AtomicU64::new(0);

fn builder() -> PrometheusBuilder {
    let lateness = Matcher::Full(IO_LATENESS.to_owned());
    let seconds = PrometheusBuilder::new().set_buckets(&BUCKETS);
    let both =
        seconds.and_then(|builder| builder.set_buckets_for_metric(lateness, &LATENESS_BUCKETS));
    // Only a list without a bucket is refused.
    both.unwrap_or_default()
}

/// Starts counting. What is counted before is lost.
pub fn start() {
    if OWN.get().is_some() {
        return;
    }
    // One for the whole process, and for as long as it lives.
    let series: &'static Series = Box::leak(Box::new(Series::new(builder)));
    match metrics::set_global_recorder(series) {
        // Another host of this process may have been quicker, and then the line above has failed.
        Ok(()) => drop(OWN.set(series)),
        Err(_) if OWN.get().is_some() => {}
        Err(_) => tracing::error!("metrics are off: another recorder is installed in this process"),
    }
}

/// Everything counted so far, as Prometheus reads it.
pub fn render() -> String {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        gauge!("aviary_tasks").set(runtime.metrics().num_alive_tasks() as f64);
    }
    OWN.get().map_or_else(String::new, |own| {
        own.run_upkeep();
        own.render()
    })
}

/// How often samples are to be folded into their buckets, so that they do not pile up where nobody asks for them.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// Folds them.
pub fn fold() {
    if let Some(own) = OWN.get() {
        own.run_upkeep();
    }
}

/// How often what threads have looked up is looked up again. A recorder of somebody else's may let go of series that nobody
/// counts in for a while, and what is counted in one that has gone is lost.
pub const RENEWAL: Duration = Duration::from_secs(60);

/// Has it looked up again.
pub fn renew() {
    SERIES_AGE.fetch_add(1, Ordering::Relaxed);
}

/// A label must not take as many values as a stranger can invent.
pub fn known_type(event_type: &str) -> &'static str {
    match event_type {
        model::CARD_ACTION => model::CARD_ACTION,
        model::LINK_PREVIEW => model::LINK_PREVIEW,
        model::LEGACY_CARD => model::LEGACY_CARD,
        _ => "event",
    }
}

/// Something came in that is not a callback.
pub(super) fn record_rejected(door: Door, kind: &'static str) {
    counter!("aviary_rejected_total", "door" => door.as_str(), "reason" => kind).increment(1);
}

/// Between two looks at whether timers are on time: often enough for a percentile within seconds, seldom enough to cost
/// nothing.
pub const HEARTBEAT: Duration = Duration::from_millis(25);

/// A timer of the I/O threads fired that much late.
pub fn record_io_lateness(late: Duration) {
    histogram!(IO_LATENESS).record(late.as_secs_f64());
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

/// Which plugins answer for an app. The series of all others go.
pub fn set_plugins_live<'a>(app: &str, plugins: impl IntoIterator<Item = &'a str>) {
    let plugins: BTreeSet<&str> = plugins.into_iter().collect();
    gauge!("aviary_plugins_live", "app" => app.to_owned()).set(plugins.len() as f64);
    if OWN.get().is_some_and(|own| own.set_plugins(app, &plugins)) {
        // Not before, or a thread could look up again what is about to go.
        renew();
    }
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
