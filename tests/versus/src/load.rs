//! A closed loop of clicks against one contestant, and its measurements.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::click::Clicks;
use crate::contestant::Contestant;
use crate::lane::Lane;
use crate::size::Size;

/// Measurements of one run of one contestant.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) calls_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Processor time of the contestant for one call, in microseconds: a comparison that stays valid on a machine that others use
    /// too.
    pub(crate) server_cpu_us: f64,
    /// Share of the time that the generator was busy. Near one, the generator is the limit and not the contestant.
    pub(crate) generator_busy: f64,
}

/// Runs every contestant the given number of times, in turns (A B A B), after the same warm-up for each. Returns the samples
/// of each contestant.
pub(crate) async fn in_turns(
    contestants: &[&Contestant],
    clicks: &Arc<Clicks>,
    concurrency: usize,
    size: Size,
) -> anyhow::Result<Vec<Vec<Sample>>> {
    for contestant in contestants {
        drive(contestant, clicks, concurrency, size.warm_up).await?;
    }
    let mut samples = vec![Vec::new(); contestants.len()];
    for _ in 0..size.runs {
        for (contestant, samples) in contestants.iter().zip(&mut samples) {
            samples.push(drive(contestant, clicks, concurrency, size.run).await?);
        }
    }
    Ok(samples)
}

/// Lets that many users click for that long, each as fast as it gets its answers.
pub(crate) async fn drive(
    contestant: &Contestant,
    clicks: &Arc<Clicks>,
    concurrency: usize,
    length: Duration,
) -> anyhow::Result<Sample> {
    let mut lanes = Vec::new();
    for _ in 0..concurrency {
        lanes.push(Lane::open(&contestant.target, Arc::clone(clicks)).await?);
    }
    let meter = Meter::start(contestant)?;
    let mut users = JoinSet::new();
    for mut lane in lanes {
        let until = meter.began + length;
        users.spawn(async move {
            let mut taken = Vec::new();
            while Instant::now() < until {
                taken.push(lane.click().await?);
            }
            anyhow::Ok(taken)
        });
    }
    let mut taken = Vec::new();
    while let Some(user) = users.join_next().await {
        let context = || format!("{:?}: {}", contestant.who, contestant.process.last_words());
        taken.extend(user?.with_context(context)?);
    }
    let sample = meter.stop(contestant, taken)?;
    contestant.process.forget_log()?;
    Ok(sample)
}

/// Readings that are taken before and after a run.
pub(crate) struct Meter {
    pub(crate) began: Instant,
    server: Duration,
    generator: Duration,
}

impl Meter {
    pub(crate) fn start(contestant: &Contestant) -> anyhow::Result<Self> {
        let (server, generator) = (contestant.process.processor_time()?, own_time()?);
        Ok(Self { began: Instant::now(), server, generator })
    }

    pub(crate) fn stop(
        self,
        contestant: &Contestant,
        mut taken: Vec<Duration>,
    ) -> anyhow::Result<Sample> {
        let wall = self.began.elapsed().as_secs_f64();
        let generator = own_time()? - self.generator;
        let server = contestant.process.processor_time()? - self.server;
        taken.sort_unstable();
        let calls = taken.len().max(1) as f64;
        Ok(Sample {
            calls_per_s: taken.len() as f64 / wall,
            p50_us: percentile(&taken, 50),
            p99_us: percentile(&taken, 99),
            server_cpu_us: server.as_secs_f64() * 1e6 / calls,
            generator_busy: generator.as_secs_f64() / wall,
        })
    }
}

/// Returns the value that this percentage of the samples does not exceed, in microseconds.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).map_or(0.0, |took| took.as_secs_f64() * 1e6)
}

/// Returns the processor time of this thread, which runs the generator and the simulated platform.
fn own_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().context("schedstat is empty")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let taken: Vec<_> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&taken, 50), 100.0);
        assert_eq!(percentile(&taken, 99), 198.0);
        assert_eq!(percentile(&taken[..1], 99), 1.0);
    }
}
