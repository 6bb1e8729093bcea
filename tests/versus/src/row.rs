//! What was measured: a row for each contestant in each scenario, and what one says about another.

use serde::Serialize;

use crate::contestant::Who;
use crate::load::Sample;
use crate::spread::Spread;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// One plugin, a click of a kilobyte.
    Webhook,
    /// The same with plugins in languages that bring a runtime along.
    Interpreted,
    /// The same over that many connections, fragments in a tenth of the messages.
    LongConnection { connections: usize },
    /// The same, Aviary alone, beside itself with other numbers of connections.
    Connections { open: usize },
    /// The same over the webhook with that many plugins.
    Plugins { loaded: usize },
    /// The same with clicks of that size.
    Payload { bytes: usize },
    /// The same with a plugin in the folder that never answers, and nobody who calls it.
    Quiet,
    /// The same with a tenth of all clicks for that plugin.
    Runaway,
    /// The first again, with a journal or without one.
    Journal { kept: bool },
}

impl Scenario {
    /// For the table.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Webhook => "webhook".to_owned(),
            Self::Interpreted => "webhook, other languages".to_owned(),
            Self::LongConnection { connections } => format!("long connection × {connections}"),
            Self::Connections { open } => format!("{open} connections beside fewer and more"),
            Self::Plugins { loaded } => format!("webhook, {loaded} plugins"),
            Self::Payload { bytes } => format!("webhook, click of {} KB", bytes / 1000),
            Self::Quiet => "webhook, a runaway that nobody calls".to_owned(),
            Self::Runaway => "webhook, a runaway on a tenth of the traffic".to_owned(),
            Self::Journal { kept: true } => "webhook, every callback written down".to_owned(),
            Self::Journal { kept: false } => "webhook, beside one with a journal".to_owned(),
        }
    }
}

/// The runs of one contestant in one scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) who: Who,
    pub(crate) concurrency: usize,
    pub(crate) calls_per_s: Spread,
    pub(crate) p50_us: Spread,
    pub(crate) p99_us: Spread,
    pub(crate) server_cpu_us: Spread,
    pub(crate) generator_busy: Spread,
    #[serde(skip)]
    samples: Vec<Sample>,
}

impl Row {
    /// None without samples.
    pub(crate) fn new(
        scenario: Scenario,
        who: Who,
        concurrency: usize,
        samples: Vec<Sample>,
    ) -> Option<Self> {
        let over = |field: fn(&Sample) -> f64| Spread::of(samples.iter().map(field).collect());
        Some(Self {
            scenario,
            who,
            concurrency,
            calls_per_s: over(|sample| sample.calls_per_s)?,
            p50_us: over(|sample| sample.p50_us)?,
            p99_us: over(|sample| sample.p99_us)?,
            server_cpu_us: over(|sample| sample.server_cpu_us)?,
            generator_busy: over(|sample| sample.generator_busy)?,
            samples,
        })
    }

    /// How many times the other's this one's is, run by run.
    pub(crate) fn ratio(&self, other: &Self, field: fn(&Sample) -> f64) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        Spread::of(pairs.map(|(one, other)| field(one) / field(other)).collect())
    }
}
