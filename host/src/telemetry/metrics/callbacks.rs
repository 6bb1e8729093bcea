//! How many callbacks there were, how long they took, and what fuel. To look a figure up by its labels costs as much as to parse a
//! callback, so each thread looks once and keeps what it found: no more than the recorder keeps itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use metrics::Counter;
use metrics::Histogram;
use metrics::counter;
use metrics::histogram;

use crate::telemetry::metrics::known_type;
use crate::telemetry::record::CallbackRecord;
use crate::telemetry::record::Door;
use crate::telemetry::record::Outcome;

/// The labels that all of them have.
#[derive(PartialEq, Eq, Hash)]
struct Labels {
    app: Arc<str>,
    /// Empty where none takes it, which is no label to Prometheus.
    plugin: Arc<str>,
    kind: &'static str,
    door: Door,
}

struct Figures {
    /// Those outcomes that there were.
    total: Vec<(Outcome, Counter)>,
    seconds: Histogram,
    /// Once there was some.
    fuel: Option<Counter>,
}

thread_local! {
    static KNOWN: RefCell<HashMap<Labels, Figures>> = RefCell::default();
}

/// A callback has its answer.
pub(in crate::telemetry) fn record_callback(record: &CallbackRecord) {
    let labels = Labels {
        app: Arc::clone(&record.app),
        plugin: record.plugin.as_ref().map_or_else(Arc::default, |one| Arc::clone(&one.name)),
        kind: known_type(&record.event_type),
        door: record.door,
    };
    KNOWN.with_borrow_mut(|known| match known.get_mut(&labels) {
        Some(figures) => figures.add(&labels, record),
        None => {
            let mut figures = Figures::of(&labels);
            figures.add(&labels, record);
            known.insert(labels, figures);
        }
    });
}

impl Figures {
    fn of(Labels { app, plugin, kind, door }: &Labels) -> Self {
        let seconds = histogram!(
            "aviary_callback_seconds",
            "app" => Arc::clone(app), "plugin" => Arc::clone(plugin), "type" => *kind,
            "door" => door.as_str()
        );
        Self { total: Vec::new(), seconds, fuel: None }
    }

    fn add(&mut self, labels: &Labels, record: &CallbackRecord) {
        let outcome = record.outcome;
        match self.total.iter().find(|(known, _)| *known == outcome) {
            Some((_, counter)) => counter.increment(1),
            None => {
                let counter = total(labels, outcome);
                counter.increment(1);
                self.total.push((outcome, counter));
            }
        }
        self.seconds.record(record.elapsed.as_secs_f64());
        if let Some(fuel) = record.fuel {
            self.fuel.get_or_insert_with(|| fuel_total(labels)).increment(fuel);
        }
    }
}

fn fuel_total(Labels { app, plugin, .. }: &Labels) -> Counter {
    counter!("aviary_fuel_total", "app" => Arc::clone(app), "plugin" => Arc::clone(plugin))
}

fn total(Labels { app, plugin, kind, door }: &Labels, outcome: Outcome) -> Counter {
    counter!(
        "aviary_callbacks_total",
        "app" => Arc::clone(app), "plugin" => Arc::clone(plugin), "type" => *kind,
        "door" => door.as_str(), "outcome" => outcome.as_str()
    )
}
