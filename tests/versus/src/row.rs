//! Rows of the report: one for each contestant in each scenario, and their ratios.

use serde::Serialize;

use crate::contestant::Who;
use crate::load::Sample;
use crate::spread::Spread;

/// A situation that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// One plugin, a click of a kilobyte over the webhook.
    Webhook,
    /// Plugins in languages that include a runtime, over the webhook.
    Interpreted,
    /// That many long connections, with fragments in a tenth of the messages.
    LongConnection { connections: usize },
    /// That many long connections of Aviary alone, against other numbers of connections.
    Connections { open: usize },
    /// That many loaded plugins, over the webhook.
    Plugins { loaded: usize },
    /// Clicks of that many bytes, over the webhook.
    Payload { bytes: usize },
    /// A plugin in the folder that never answers and gets no clicks.
    Quiet,
    /// The same plugin with a tenth of all clicks.
    Runaway,
    /// The scenario `Webhook` with a journal or without one.
    Journal { kept: bool },
}

impl Scenario {
    /// Returns the words for the table.
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

/// Runs of one contestant in one scenario.
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
    /// Returns `None` without samples.
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

    /// Divides this row's field by the other row's, run by run.
    pub(crate) fn ratio(&self, other: &Self, field: fn(&Sample) -> f64) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        Spread::of(pairs.map(|(one, other)| field(one) / field(other)).collect())
    }
}
