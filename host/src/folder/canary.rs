//! A canary: a new version that serves a share of the users, always the same ones, while the version before serves the others.
//! It is promoted or rolled back after enough calls.

use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::sync::mpsc;

use crate::capability::access::PluginId;
use crate::folder::report::CanaryReport;
use crate::plugin::live::Live;
use crate::plugin::loaded::Plugin;
use crate::record::Outcome;

/// Up to this many failures may be chance, or a fault of the platform.
const CHANCE: u32 = 2;
/// A canary's failure rate and median time may be this many times those of the version before, plus an allowance.
const WORSE: f64 = 2.0;
/// Allowance for failures: even if the version before never failed, one call in fifty may.
const A_LITTLE: f64 = 0.02;
/// Allowance for latency: nobody notices this much more in the median.
const A_MOMENT: Duration = Duration::from_millis(20);
/// Fewer calls than this say nothing about latency.
const FEWEST_TIMES: usize = 5;
/// Durations that are kept for each version. A longer sample would not change the median much.
const MOST_TIMES: usize = 1000;

/// A new version that serves a share of the users.
pub struct Canary {
    plugin: Arc<Plugin>,
    live: Live,
    share: u32,
    calls: u32,
    tally: Mutex<CanaryTally>,
    judged: mpsc::Sender<Judged>,
}

impl std::fmt::Debug for Canary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Canary").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

/// A canary with its verdict.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) name: Arc<str>,
    pub(super) version: Arc<str>,
    pub(super) verdict: CanaryVerdict,
}

/// The end of a canary, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CanaryVerdict {
    Promoted(String),
    RolledBack(String),
}

#[derive(Default)]
struct CanaryTally {
    new: Side,
    old: Side,
    is_judged: bool,
}

#[derive(Default)]
struct Side {
    calls: u32,
    failures: u32,
    times: Vec<Duration>,
}

impl Canary {
    /// Makes a canary whose calls count from now on. Its verdict is sent to `judged`.
    pub(super) fn begin(plugin: Arc<Plugin>, share: u32, judged: mpsc::Sender<Judged>) -> Self {
        let calls = plugin.policy().promote.canary_calls();
        let live = Live::new(vec![Arc::clone(&plugin)]);
        Self { plugin, live, share, calls, tally: Mutex::default(), judged }
    }

    /// The new version as if there were no other plugin.
    pub fn live(&self) -> &Live {
        &self.live
    }

    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// Tells whether that user is served by the canary. The version is part of the hash, so that the next canary gets other
    /// users.
    pub fn has(&self, user: &str) -> bool {
        let mut hash = blake3::Hasher::new();
        hash.update(self.plugin.version().as_bytes()).update(user.as_bytes());
        let mut number = [0; 8];
        hash.finalize_xof().fill(&mut number);
        u64::from_le_bytes(number) % 100 < u64::from(self.share)
    }

    /// Counts a call of the canary or of the version before.
    pub fn record(&self, plugin: &Arc<Plugin>, outcome: Outcome, took: Option<Duration>) {
        let Some(failed) = has_failed(outcome) else { return };
        let mut tally = self.tally.lock();
        let is_new = Arc::ptr_eq(plugin, &self.plugin);
        let side = if is_new { &mut tally.new } else { &mut tally.old };
        side.calls += 1;
        side.failures += u32::from(failed);
        if side.times.len() < MOST_TIMES {
            side.times.extend(took);
        }
        if tally.is_judged || !is_new {
            return;
        }
        let Some(verdict) = tally.judge(self.calls) else { return };
        let PluginId { name, version, .. } = self.plugin.id().clone();
        // If the folder's queue is full, the next call sends the verdict.
        tally.is_judged = self.judged.try_send(Judged { name, version, verdict }).is_ok();
    }

    /// The percentage of users.
    pub(super) fn share(&self) -> u32 {
        self.share
    }

    pub(super) fn report(&self) -> CanaryReport {
        let tally = self.tally.lock();
        CanaryReport {
            version: self.plugin.version().to_owned(),
            share: self.share,
            calls: tally.new.calls,
            failures: tally.new.failures,
            judged_after: self.calls,
            rehearsed: self.plugin.rehearsed().copied(),
        }
    }
}

/// Returns `None` if the plugin was not called, or the outcome is not its fault.
fn has_failed(outcome: Outcome) -> Option<bool> {
    match outcome {
        Outcome::Answered => Some(false),
        Outcome::PluginFailure
        | Outcome::Deadline
        | Outcome::OutOfFuel
        | Outcome::OutOfMemory
        | Outcome::Trap
        | Outcome::InvalidReply => Some(true),
        Outcome::NoHandler
        | Outcome::Overload
        | Outcome::Paused
        | Outcome::Repeated
        | Outcome::Cached
        | Outcome::Refused
        | Outcome::TooOld
        | Outcome::Host => None,
    }
}

impl Side {
    fn rate(&self) -> f64 {
        f64::from(self.failures) / f64::from(self.calls.max(1))
    }

    /// Returns the median duration; `None` for fewer than [`FEWEST_TIMES`] calls.
    fn median(&self) -> Option<Duration> {
        let mut times = self.times.clone();
        let middle = times.len() / 2;
        (times.len() >= FEWEST_TIMES).then(|| *times.select_nth_unstable(middle).1)
    }
}

impl CanaryTally {
    /// Rolls back a version as soon as it fails too often. Promotes one, or finds it too slow, only after `enough` calls.
    fn judge(&self, enough: u32) -> Option<CanaryVerdict> {
        let Self { new, old, .. } = self;
        let is_enough = new.calls >= enough;
        if new.rate() > old.rate() * WORSE + A_LITTLE && (new.failures > CHANCE || is_enough) {
            return Some(CanaryVerdict::RolledBack(format!(
                "{} of its {} calls failed; of the version before, {} of {}",
                new.failures, new.calls, old.failures, old.calls
            )));
        }
        if !is_enough {
            return None;
        }
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        if let (Some(now), Some(then)) = (new.median(), old.median())
            && now > then.mul_f64(WORSE) + A_MOMENT
        {
            let (now, then) = (ms(now), ms(then));
            let words =
                format!("half of its calls took {now:.1} ms; of the version before, {then:.1} ms");
            return Some(CanaryVerdict::RolledBack(words));
        }
        Some(CanaryVerdict::Promoted(format!(
            "{} of its {} calls failed; of the version before, {} of {}",
            new.failures, new.calls, old.failures, old.calls
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(calls: u32, failures: u32, ms: u64) -> Side {
        Side { calls, failures, times: vec![Duration::from_millis(ms); calls as usize] }
    }

    fn judge(new: Side, old: Side) -> Option<CanaryVerdict> {
        CanaryTally { new, old, is_judged: false }.judge(100)
    }

    #[test]
    fn what_fails_goes_at_once_and_what_does_well_stays_for_a_while() {
        assert_eq!(judge(side(2, 2, 1), side(50, 0, 1)), None, "that may be chance");
        assert!(matches!(judge(side(3, 3, 1), side(50, 0, 1)), Some(CanaryVerdict::RolledBack(_))));
        assert_eq!(judge(side(99, 0, 1), side(900, 0, 1)), None);
        assert!(matches!(
            judge(side(100, 0, 1), side(900, 0, 1)),
            Some(CanaryVerdict::Promoted(_))
        ));
        assert!(matches!(
            judge(side(100, 2, 1), side(900, 0, 1)),
            Some(CanaryVerdict::Promoted(_))
        ));
        assert!(matches!(
            judge(side(100, 3, 1), side(900, 0, 1)),
            Some(CanaryVerdict::RolledBack(_))
        ));
    }

    #[test]
    fn it_may_fail_as_often_as_the_version_before() {
        assert_eq!(judge(side(50, 20, 1), side(50, 20, 1)), None);
        assert!(matches!(
            judge(side(100, 40, 1), side(900, 360, 1)),
            Some(CanaryVerdict::Promoted(_))
        ));
    }

    #[test]
    fn it_may_not_be_much_slower() {
        let slow = judge(side(100, 0, 60), side(900, 0, 10));
        assert!(
            matches!(&slow, Some(CanaryVerdict::RolledBack(why)) if why.contains("60.0 ms")),
            "{slow:?}"
        );
        assert!(matches!(
            judge(side(100, 0, 15), side(900, 0, 1)),
            Some(CanaryVerdict::Promoted(_))
        ));
        assert!(matches!(
            judge(side(100, 0, 900), side(0, 0, 0)),
            Some(CanaryVerdict::Promoted(_))
        ));
    }
}
