//! What came of it, under the names that others look for.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::contestant::Who;
use crate::languages::Languages;
use crate::load::Sample;
use crate::machine::Machine;
use crate::row::Row;
use crate::row::Scenario;
use crate::size::CONCURRENCY;
use crate::spread::Spread;

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Medians of one contestant against another, run by run, at concurrency 8.
    ratios: BTreeMap<&'static str, f64>,
    /// Medians of what has no opponent.
    figures: BTreeMap<&'static str, f64>,
    /// The ends of both.
    spread: BTreeMap<&'static str, Spread>,
    /// What is in neither, and why.
    left_out: BTreeMap<&'static str, String>,
    /// What was timed, and how.
    how: &'static str,
    machine: Machine,
    pub(crate) rows: Vec<Row>,
    pub(crate) languages: Languages,
}

/// What the reader has to know about the figures.
pub(crate) const HOW: &str = "closed loop, keep-alive, one core for the load generator and the simulated platform, one for \
    whoever is measured; bodies encrypted and signed one by one, each answer compared with its click; the same warm-up for \
    each; all contestants of a row run at once and are measured in turns (A B A B); Python: Flask adapter, gunicorn, one \
    worker of 8 threads; Node: adaptDefault on node:http; Aviary: default settings, log to a file";

/// Ratios that compare two rows: name, field, the one and the other.
const RATIOS: [(&str, Field, Cell, Cell); 9] = [
    ("webhook_vs_node", Field::CallsPerS, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Node)),
    ("webhook_vs_python", Field::CallsPerS, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Python)),
    ("webhook_vs_native", Field::CallsPerS, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Native)),
    ("webhook_p99_vs_node", Field::P99, WEBHOOK_AVIARY, (Scenario::Webhook, Who::Node)),
    ("long_connection_vs_node", Field::CallsPerS, LONG_AVIARY, (EIGHT, Who::Node)),
    ("long_connection_vs_python", Field::CallsPerS, LONG_AVIARY, (EIGHT, Who::Python)),
    ("plugins_500_vs_1", Field::CallsPerS, (plugins(500), AVIARY), (plugins(1), AVIARY)),
    ("connections_50_vs_8", Field::CallsPerS, (MANY_50, AVIARY), (MANY_8, AVIARY)),
    ("runaway_p99_vs_quiet", Field::P99, (Scenario::Runaway, AVIARY), (Scenario::Quiet, AVIARY)),
];

/// Names that need what is not there yet.
const NOT_YET: [(&str, &str); 2] = [
    ("quickjs_vs_node", "the benchmark builds the plugins in Rust only"),
    (
        "python_reused_vs_python",
        "the benchmark builds the plugins in Rust only, and reuses no instance",
    ),
];

type Cell = (Scenario, Who);
const AVIARY: Who = Who::AviaryRust;
const EIGHT: Scenario = Scenario::LongConnection { connections: 8 };
const MANY_8: Scenario = Scenario::Connections { open: 8 };
const MANY_50: Scenario = Scenario::Connections { open: 50 };
const WEBHOOK_AVIARY: Cell = (Scenario::Webhook, AVIARY);
const LONG_AVIARY: Cell = (EIGHT, AVIARY);

const fn plugins(loaded: usize) -> Scenario {
    Scenario::Plugins { loaded }
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
    /// From the rows and the figures that were measured.
    pub(crate) fn new(
        machine: Machine,
        rows: Vec<Row>,
        measured: impl IntoIterator<Item = (&'static str, Spread)>,
        languages: Languages,
    ) -> Self {
        let row = |(scenario, who): Cell| {
            rows.iter().find(|row| {
                row.scenario == scenario && row.who == who && row.concurrency == CONCURRENCY
            })
        };
        let mut report = Self {
            ratios: BTreeMap::new(),
            figures: BTreeMap::new(),
            spread: BTreeMap::new(),
            left_out: BTreeMap::new(),
            how: HOW,
            machine,
            rows: Vec::new(),
            languages,
        };
        for (name, field, one, other) in RATIOS {
            let pair = row(one).zip(row(other));
            match pair.and_then(|(one, other)| one.ratio(other, field.of())) {
                Some(spread) => {
                    report.ratios.insert(name, spread.median);
                    report.spread.insert(name, spread);
                }
                None => {
                    report.left_out.insert(name, "its rows were not measured in this run".into());
                }
            }
        }
        for (name, why) in NOT_YET {
            report.left_out.insert(name, why.into());
        }
        for (name, spread) in measured {
            report.figures.insert(name, spread.median);
            report.spread.insert(name, spread);
        }
        report.rows = rows;
        report
    }

    /// A ratio or figure by its name.
    pub fn spread(&self, name: &str) -> Option<Spread> {
        self.spread.get(name).copied()
    }

    /// The ratios and the figures, in the order of their names.
    pub fn measured(&self) -> impl Iterator<Item = (&'static str, Spread)> + '_ {
        self.spread.iter().map(|(name, spread)| (*name, *spread))
    }

    /// How many languages were measured.
    pub fn languages(&self) -> usize {
        self.languages.measured.len()
    }

    /// What could not be measured, and why.
    pub fn left_out(&self) -> impl Iterator<Item = (&'static str, &str)> + '_ {
        self.left_out.iter().map(|(name, why)| (*name, why.as_str()))
    }

    /// Where and when.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }
}
