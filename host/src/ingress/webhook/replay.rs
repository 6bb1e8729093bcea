//! Remembers accepted signatures, so that a recorded request is not answered a second time.
//!
//! The memory starts empty with the process, so requests that were signed before that are refused: an earlier process may have
//! answered them. Each host has its own memory: behind a load balancer, only the window bounds the requests that another host
//! would accept again.

use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::time::Instant;

use crate::callback::freshness::SignatureWindow;
use crate::callback::verify::Signed;

/// The number of signatures that are remembered for each app: 200 requests a second for the default window. Beyond that the
/// oldest are forgotten first, which only a flood of genuine requests can cause.
const MAX_REMEMBERED: usize = 65_536;

/// The first sixteen bytes of a signature. Only repeated signatures share them.
type Digest = u128;

/// A moment by both clocks: the monotonic one, and the wall clock that signatures are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub(super) steady: Instant,
    pub(super) wall: SystemTime,
}

impl Moment {
    /// Returns the current moment.
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Sleeps until the end of the second that this moment is in. Signatures name the second of signing: those of this second may
    /// be older than the moment, those of later ones are not.
    pub async fn second_is_over(self) {
        let since_epoch = self.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let into_second = Duration::from_nanos(u64::from(since_epoch.subsec_nanos()));
        tokio::time::sleep_until(self.steady + (Duration::from_secs(1) - into_second)).await;
    }
}

/// Why a correct signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOnce {
    /// The signature was accepted before.
    #[error("the request was answered before, with this very signature: somebody repeats it")]
    Replayed,
    /// The request was signed before the host started, so an earlier process may have accepted it.
    #[error(
        "the request was signed before this host started, {seconds} s ago, and the host before may have answered it; where that is not so, the clock of this machine is ahead"
    )]
    BeforeStart {
        /// The seconds since the host started.
        seconds: u64,
    },
}

/// The signatures that one app has accepted.
#[derive(Debug)]
pub(super) struct ReplayMemory {
    lifetime: Duration,
    began: Instant,
    /// The time at which each signature was accepted.
    seen: Mutex<Bounded<Digest, Instant, BuildHasherDefault<AsItIs>>>,
}

/// A hasher that keeps the digest as it is: a verified signature is a hash already, and only a holder of the key can choose one.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("a digest is a u128");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The acceptance of a new signature. Dropped without [`ReplayCheck::keep`], the signature may come again: the platform may repeat
/// a request that was not answered.
#[derive(Debug)]
pub(super) struct ReplayCheck {
    memory: Arc<ReplayMemory>,
    digest: Digest,
    kept: bool,
}

impl ReplayMemory {
    /// Remembers signatures for twice the window: one that is signed ahead of time is accepted for that long.
    pub(super) fn new(window: SignatureWindow, began: Moment) -> Self {
        let lifetime = match window {
            SignatureWindow::Seconds(seconds) => Duration::from_secs(2 * seconds),
            SignatureWindow::Off => Duration::ZERO,
        };
        let seen = Mutex::new(Bounded::new(MAX_REMEMBERED));
        Self { lifetime, began: began.steady, seen }
    }

    /// Accepts a verified signature, once.
    pub(super) fn admit(
        self: &Arc<Self>,
        signed: &Signed,
        moment: Moment,
    ) -> Result<ReplayCheck, NotOnce> {
        let now = moment.steady;
        let running = now.duration_since(self.began);
        // Compares with the running time and not with the start time, because the wall clock may have been set since.
        if moment.wall.duration_since(signed.time()).is_ok_and(|age| age > running) {
            return Err(NotOnce::BeforeStart { seconds: running.as_secs() });
        }
        let digest = digest(&signed.signature);
        let mut seen = self.seen.lock();
        seen.remove_oldest_while(|since| now.duration_since(*since) > self.lifetime);
        if seen.contains(&digest) {
            return Err(NotOnce::Replayed);
        }
        seen.insert(digest, now);
        drop(seen);
        Ok(ReplayCheck { memory: Arc::clone(self), digest, kept: false })
    }
}

impl ReplayCheck {
    /// Remembers the signature after its request was answered: a second one is a replay.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for ReplayCheck {
    fn drop(&mut self) {
        if !self.kept {
            self.memory.seen.lock().remove(&self.digest);
        }
    }
}

/// Returns the digest of a verified signature, which is hex and long enough.
fn digest(signature: &str) -> Digest {
    let mut digest = [0; size_of::<Digest>()];
    if let Some(beginning) = signature.as_bytes().get(..2 * digest.len()) {
        // Other text could not have been verified, so it does not matter that such texts may share a digest.
        let _ = hex::decode_to_slice(beginning, &mut digest);
    }
    Digest::from_le_bytes(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::freshness::UnixSeconds;

    const ONE: &str = "aa0000000000000000000000000000000000000000";
    const OTHER: &str = "bb0000000000000000000000000000000000000000";
    /// A second on the tests' clock; their host starts in the middle of it.
    const START: u64 = 1_732_699_047;

    /// Makes a signature whose digits are spread over all numbers, because the map uses them as a hash.
    fn numbered(number: usize) -> String {
        let spread = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{spread:016x}{number:024x}")
    }

    fn signed_at(signature: &str, second: u64) -> Signed {
        Signed { signature: signature.to_owned(), at: UnixSeconds(second) }
    }

    fn signed(signature: &str) -> Signed {
        signed_at(signature, START + 1)
    }

    fn start() -> Moment {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(START * 1000 + 500);
        Moment { steady: Instant::now(), wall }
    }

    fn after(start: Moment, seconds: u64) -> Moment {
        let later = Duration::from_secs(seconds);
        Moment { steady: start.steady + later, wall: start.wall + later }
    }

    fn memory(began: Moment) -> Arc<ReplayMemory> {
        Arc::new(ReplayMemory::new(SignatureWindow::Seconds(300), began))
    }

    #[test]
    fn a_signature_is_taken_once_within_its_life() {
        let start = start();
        let memory = memory(start);
        memory.admit(&signed(ONE), after(start, 1)).unwrap().keep();
        memory.admit(&signed(OTHER), after(start, 1)).unwrap().keep();
        assert!(memory.admit(&signed(ONE), after(start, 601)).is_err());
        memory.admit(&signed(ONE), after(start, 602)).unwrap().keep();
    }

    #[test]
    fn what_was_not_answered_may_come_again() {
        let start = start();
        let memory = memory(start);
        let first = memory.admit(&signed(ONE), after(start, 1)).unwrap();
        assert!(memory.admit(&signed(ONE), after(start, 1)).is_err(), "the first is under way");
        drop(first);
        memory.admit(&signed(ONE), after(start, 2)).unwrap().keep();
        assert!(memory.admit(&signed(ONE), after(start, 602)).is_err(), "the younger one counts");
    }

    #[test]
    fn the_memory_is_bounded() {
        let start = start();
        let (memory, now) = (memory(start), after(start, 1));
        for number in 0..=MAX_REMEMBERED {
            memory.admit(&signed(&numbered(number)), now).unwrap().keep();
        }
        assert_eq!(memory.seen.lock().len(), MAX_REMEMBERED);
        assert!(memory.admit(&signed(&numbered(1)), now).is_err());
        assert!(memory.admit(&signed(&numbered(0)), now).is_ok(), "the oldest was forgotten");
    }

    #[test]
    fn what_may_have_been_signed_before_the_start_is_not_accepted() {
        let start = start();
        let memory = memory(start);
        for (second, seconds) in [(START, 1), (START - 200, 1), (START, 100)] {
            let refused = memory.admit(&signed_at(ONE, second), after(start, seconds));
            assert_eq!(refused.unwrap_err(), NotOnce::BeforeStart { seconds });
        }
        assert!(memory.admit(&signed_at(ONE, START + 1), after(start, 1)).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_meanwhile_does_not_matter() {
        let start = start();
        let memory = memory(start);
        let mut hour_back = after(start, 10);
        hour_back.wall -= Duration::from_secs(3600);
        assert!(memory.admit(&signed_at(ONE, START - 3600 + 5), hour_back).is_ok());
        assert!(memory.admit(&signed_at(OTHER, START - 3600 - 5), hour_back).is_err());
    }

    #[tokio::test]
    async fn the_second_of_the_start_is_waited_for() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(START * 1000 + 980);
        let start = Moment { steady: Instant::now(), wall };
        start.second_is_over().await;
        assert!(start.steady.elapsed() >= Duration::from_millis(20));
    }
}
