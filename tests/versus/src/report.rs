//! The report, under names that other programs look for.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::change::Changes;
use crate::change::Edit;
use crate::contestant::Who;
use crate::languages::Language;
use crate::languages::Languages;
use crate::load::Sample;
use crate::machine::Machine;
use crate::row::Row;
use crate::row::Scenario;
use crate::size::CONCURRENCY;
use crate::size::Size;
use crate::spread::Spread;

/// All results of the benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Medians of the ratio of two contestants, run by run, at concurrency 8.
    ratios: BTreeMap<&'static str, f64>,
    /// Medians of the results that have no opponent.
    figures: BTreeMap<&'static str, f64>,
    /// Minimum and maximum of ratios and figures.
    spread: BTreeMap<&'static str, Spread>,
    /// Results that are missing, and the reason.
    left_out: BTreeMap<&'static str, String>,
    /// Description of the method.
    how: &'static str,
    machine: Machine,
    pub(crate) rows: Vec<Row>,
    pub(crate) languages: Languages,
    pub(crate) edits: Vec<Edit>,
}

/// Description of the method for the reader.
pub(crate) const HOW: &str = "closed loop, keep-alive, one core for the load generator and the simulated platform, one for \
    whoever is measured; bodies encrypted and signed one by one, each answer compared with its click; the same warm-up for \
    each; all contestants of a row run at once and are measured in turns (A B A B); Python: Flask adapter, gunicorn, one \
    worker of 8 threads; Node: adaptDefault on node:http; Aviary: default settings, log to a file. Changes: generator and host \
    on all cores; eight people click at a steady pace, 2000 times a second; each edit is one that no host has seen, from \
    closing the file to the log saying that it is live. Calls under way: 700 that wait in 25 plugins, half through each door, \
    guests.max_calls = 1000, scaled to 1000";

/// Ratios of two rows: name, field, and the two cells.
const RATIOS: [(&str, Field, Cell, Cell); 12] = [
    ("webhook_vs_node", Field::CallsPerS, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Node)),
    ("webhook_vs_python", Field::CallsPerS, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Python)),
    ("webhook_vs_native", Field::CallsPerS, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Native)),
    ("webhook_p99_vs_node", Field::P99, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Node)),
    ("long_connection_vs_node", Field::CallsPerS, LONG_AVIARY, (EIGHT, Who::Node)),
    ("long_connection_vs_python", Field::CallsPerS, LONG_AVIARY, (EIGHT, Who::Python)),
    ("quickjs_vs_node", Field::CallsPerS, QUICKJS, (Scenario::Interpreted, Who::Node)),
    ("python_reused_vs_python", Field::CallsPerS, PYTHON, (Scenario::Interpreted, Who::Python)),
    ("plugins_500_vs_1", Field::CallsPerS, (plugins(500), AVIARY), (plugins(1), AVIARY)),
    ("connections_50_vs_8", Field::CallsPerS, (MANY_50, AVIARY), (MANY_8, AVIARY)),
    ("runaway_p99_vs_quiet", Field::P99, (Scenario::Runaway, AVIARY), (Scenario::Quiet, AVIARY)),
    ("journal_vs_none", Field::CallsPerS, (journal(true), AVIARY), (journal(false), AVIARY)),
];

/// Ratios that a part of the benchmark computes itself.
const OTHER_RATIOS: [&str; 4] = [
    "edit_rust_p99_vs_quiet",
    "edit_quickjs_p99_vs_quiet",
    "edit_starlingmonkey_p99_vs_quiet",
    "edit_python_p99_vs_quiet",
];

/// Figures without an opponent.
const FIGURES: [&str; 10] = [
    "engine_p99_us",
    "engine_calls_per_s",
    "idle_rss_mb",
    "rss_per_plugin_mb",
    "rss_per_1000_calls_mb",
    "cached_start_s",
    "edit_to_live_rust_s",
    "edit_to_live_quickjs_s",
    "edit_to_live_starlingmonkey_s",
    "edit_to_live_python_s",
];

/// Results of the parts of the benchmark.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    /// Figures under the names above.
    pub(crate) figures: Vec<(&'static str, Spread)>,
    pub(crate) languages: Vec<Language>,
    pub(crate) changes: Changes,
}

impl Measured {
    fn named(&self) -> impl Iterator<Item = (&'static str, Spread)> + '_ {
        let start = self.changes.cached_start_s.map(|spread| ("cached_start_s", spread));
        let edits = self.changes.edits.iter().flat_map(|edit| {
            let (live, meanwhile) = (edit.toolchain.live(), edit.toolchain.meanwhile());
            [(live, edit.live_s), (meanwhile, edit.p99_vs_quiet)]
        });
        self.figures.iter().copied().chain(start).chain(edits)
    }

    fn ratio(&self, field: Field, one: Cell, other: Cell) -> Option<Spread> {
        let row = |(scenario, who): Cell| {
            self.rows.iter().find(|row| {
                row.scenario == scenario && row.who == who && row.concurrency == CONCURRENCY
            })
        };
        row(one)?.ratio(row(other)?, field.of())
    }
}

type Cell = (Scenario, Who);
const AVIARY: Who = Who::AviaryRust;
const EIGHT: Scenario = Scenario::LongConnection { connections: 8 };
const MANY_8: Scenario = Scenario::Connections { open: 8 };
const MANY_50: Scenario = Scenario::Connections { open: 50 };
const WEBHOOK_AVIARY: Cell = (Scenario::Webhook, AVIARY);
const LONG_AVIARY: Cell = (EIGHT, AVIARY);
const QUICKJS: Cell = (Scenario::Interpreted, Who::AviaryQuickjs);
const PYTHON: Cell = (Scenario::Interpreted, Who::AviaryPythonReused);

const fn plugins(loaded: usize) -> Scenario {
    Scenario::Plugins { loaded }
}

const fn journal(kept: bool) -> Scenario {
    Scenario::Journal { kept }
}

#[derive(Clone, Copy)]
enum Field {
    CallsPerS,
    P99,
}

impl Field {
    fn of(self) -> fn(&Sample) -> f64 {
        match self {
            Self::CallsPerS => |sample| sample.calls_per_s,
            Self::P99 => |sample| sample.p99_us,
        }
    }
}

impl Report {
    /// Builds the report of all results.
    pub(crate) fn new(machine: Machine, measured: Measured, size: Size) -> Self {
        let mut spread: BTreeMap<_, _> = measured.named().collect();
        for (name, field, one, other) in RATIOS {
            spread.extend(measured.ratio(field, one, other).map(|spread| (name, spread)));
        }
        let ratios = RATIOS.iter().map(|(name, ..)| *name).chain(OTHER_RATIOS);
        let medians = |names: &mut dyn Iterator<Item = &'static str>| -> BTreeMap<_, _> {
            names.filter_map(|name| Some((name, spread.get(name)?.median))).collect()
        };
        let absent = ratios.clone().chain(FIGURES).filter(|name| !spread.contains_key(name));
        Self {
            ratios: medians(&mut ratios.clone()),
            figures: medians(&mut FIGURES.into_iter()),
            left_out: absent.map(|name| (name, "not measured in this run".to_owned())).collect(),
            how: HOW,
            machine,
            rows: measured.rows,
            languages: Languages { measured: measured.languages, calls: size.language_calls },
            edits: measured.changes.edits,
            spread,
        }
    }

    /// Returns a ratio or figure by its name.
    pub fn spread(&self, name: &str) -> Option<Spread> {
        self.spread.get(name).copied()
    }

    /// Returns the ratios and the figures, ordered by name.
    pub fn measured(&self) -> impl Iterator<Item = (&'static str, Spread)> + '_ {
        self.spread.iter().map(|(name, spread)| (*name, *spread))
    }

    /// Returns the number of measured languages.
    pub fn languages(&self) -> usize {
        self.languages.measured.len()
    }

    /// Returns the results that could not be measured, with the reason.
    pub fn left_out(&self) -> impl Iterator<Item = (&'static str, &str)> + '_ {
        self.left_out.iter().map(|(name, why)| (*name, why.as_str()))
    }

    /// Returns the place and time of the measurement.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }
}
