//! Counters of callbacks, their durations and their fuel. Looking these series up by their labels for every callback costs 2 %
//! of a click, so each thread caches them until series may have gone: no more of them than the recorder keeps itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metrics::Counter;
use metrics::Histogram;
use metrics::counter;
use metrics::histogram;

use crate::record::CallbackRecord;
use crate::record::Door;
use crate::record::Outcome;
use crate::telemetry::metrics::SERIES_AGE;
use crate::telemetry::metrics::known_type;

/// The labels that tell one series from another.
#[derive(PartialEq, Eq, Hash)]
struct Labels {
    app: Arc<str>,
    /// The plugin; empty if none takes the callback, which counts as no label for Prometheus.
    plugin: Arc<str>,
    kind: &'static str,
    door: Door,
    outcome: Outcome,
}

struct CallbackSeries {
    total: Counter,
    /// Shared by all outcomes.
    seconds: Histogram,
    /// Looked up when a call first used fuel.
    fuel: Option<Counter>,
}

/// The series that one thread has cached, and the age at which it did.
#[derive(Default)]
struct KnownSeries {
    age: u64,
    figures: HashMap<Labels, CallbackSeries>,
}

thread_local! {
    static KNOWN: RefCell<KnownSeries> = RefCell::default();
}

/// Counts a callback that has its answer.
pub(in crate::telemetry) fn record_callback(record: &CallbackRecord) {
    KNOWN.with_borrow_mut(|known| {
        let age = SERIES_AGE.load(Ordering::Relaxed);
        if known.age != age {
            *known = KnownSeries { age, ..KnownSeries::default() };
        }
        let figures =
            known.figures.entry(Labels::of(record)).or_insert_with_key(CallbackSeries::of);
        figures.total.increment(1);
        figures.seconds.record(record.elapsed.as_secs_f64());
        if let Some(fuel) = record.fuel {
            figures.fuel.get_or_insert_with(|| fuel_total(Labels::of(record))).increment(fuel);
        }
    });
}

impl Labels {
    fn of(record: &CallbackRecord) -> Self {
        Self {
            app: Arc::clone(&record.app),
            plugin: record.plugin.as_ref().map_or_else(Arc::default, |one| Arc::clone(&one.name)),
            kind: known_type(&record.event_type),
            door: record.door,
            outcome: record.outcome,
        }
    }
}

impl CallbackSeries {
    fn of(Labels { app, plugin, kind, door, outcome }: &Labels) -> Self {
        let total = counter!(
            "aviary_callbacks_total",
            "app" => Arc::clone(app), "plugin" => Arc::clone(plugin), "type" => *kind,
            "door" => door.as_str(), "outcome" => outcome.as_str()
        );
        let seconds = histogram!(
            "aviary_callback_seconds",
            "app" => Arc::clone(app), "plugin" => Arc::clone(plugin), "type" => *kind,
            "door" => door.as_str()
        );
        Self { total, seconds, fuel: None }
    }
}

fn fuel_total(Labels { app, plugin, .. }: Labels) -> Counter {
    counter!("aviary_fuel_total", "app" => app, "plugin" => plugin)
}
