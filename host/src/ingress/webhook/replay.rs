//! Signatures that were accepted, so that a request which somebody recorded is not answered a second time.
//!
//! Each host remembers its own: behind a load balancer, the window bounds what another one would take.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use crate::callback::freshness::SignatureWindow;

/// Signatures remembered for each app: 200 requests a second for the default window. Beyond that the oldest are
/// forgotten first, which a flood of genuine requests alone can bring about.
const MAX_REMEMBERED: usize = 65_536;

/// The first sixteen bytes of a signature, of which no two are ever the same unless they are repeated.
type Digest = u128;

/// The signature came before.
#[derive(Debug)]
pub(super) struct Replayed;

/// What one app has accepted.
#[derive(Debug)]
pub(super) struct ReplayMemory {
    lifetime: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    since: HashMap<Digest, Instant, BuildHasherDefault<AsItIs>>,
    order: VecDeque<(Digest, Instant)>,
}

/// A verified signature is a hash already, and nobody without the key can choose one.
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

/// A signature that was not seen before. Dropped without [`Admission::keep`] it may come again: a request that was not
/// answered is one that the platform may repeat as it was.
#[derive(Debug)]
pub(super) struct Admission {
    memory: Arc<ReplayMemory>,
    digest: Digest,
    kept: bool,
}

impl ReplayMemory {
    /// Remembers for as long as a signature may be accepted: one that is signed ahead of time, twice the window.
    pub(super) fn new(window: SignatureWindow) -> Self {
        let lifetime = match window {
            SignatureWindow::Seconds(seconds) => Duration::from_secs(2 * seconds),
            SignatureWindow::Off => Duration::ZERO,
        };
        Self { lifetime, seen: Mutex::default() }
    }

    /// Takes a verified signature, once.
    pub(super) fn admit(
        self: &Arc<Self>,
        signature: &str,
        now: Instant,
    ) -> Result<Admission, Replayed> {
        let digest = digest(signature);
        let mut seen = self.lock();
        seen.forget_before(now, self.lifetime);
        if seen.since.contains_key(&digest) {
            return Err(Replayed);
        }
        if seen.order.len() >= MAX_REMEMBERED {
            seen.forget_oldest();
        }
        seen.since.insert(digest, now);
        seen.order.push_back((digest, now));
        drop(seen);
        Ok(Admission { memory: Arc::clone(self), digest, kept: false })
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// It was answered; a second one is a replay.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.kept {
            self.memory.lock().since.remove(&self.digest);
        }
    }
}

impl Seen {
    fn forget_before(&mut self, now: Instant, lifetime: Duration) {
        while self.order.front().is_some_and(|(_, since)| now.duration_since(*since) > lifetime) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((digest, since)) = self.order.pop_front() else { return };
        // A signature that was let go and came again has a younger entry behind this one.
        if self.since.get(&digest) == Some(&since) {
            self.since.remove(&digest);
        }
    }
}

/// It was verified, so it is hex, and longer than that.
fn digest(signature: &str) -> Digest {
    let mut digest = [0; size_of::<Digest>()];
    if let Some(beginning) = signature.as_bytes().get(..2 * digest.len()) {
        // Anything else could not have been verified, and two of those are one.
        let _ = hex::decode_to_slice(beginning, &mut digest);
    }
    Digest::from_le_bytes(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "aa0000000000000000000000000000000000000000";
    const OTHER: &str = "bb0000000000000000000000000000000000000000";

    fn signature(number: usize) -> String {
        format!("{number:08x}{:032x}", 0)
    }

    fn memory() -> Arc<ReplayMemory> {
        Arc::new(ReplayMemory::new(SignatureWindow::Seconds(300)))
    }

    #[test]
    fn a_signature_is_taken_once_within_its_life() {
        let (memory, now) = (memory(), Instant::now());
        memory.admit(ONE, now).unwrap().keep();
        memory.admit(OTHER, now).unwrap().keep();
        assert!(memory.admit(ONE, now + Duration::from_secs(600)).is_err());
        memory.admit(ONE, now + Duration::from_secs(601)).unwrap().keep();
    }

    #[test]
    fn what_was_not_answered_may_come_again() {
        let (memory, now) = (memory(), Instant::now());
        let first = memory.admit(ONE, now).unwrap();
        assert!(memory.admit(ONE, now).is_err(), "not while the first is under way");
        drop(first);
        memory.admit(ONE, now + Duration::from_secs(1)).unwrap().keep();
        assert!(
            memory.admit(ONE, now + Duration::from_secs(601)).is_err(),
            "the younger one counts"
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let (memory, now) = (memory(), Instant::now());
        for number in 0..=MAX_REMEMBERED {
            memory.admit(&signature(number), now).unwrap().keep();
        }
        let seen = memory.lock();
        assert_eq!((seen.order.len(), seen.since.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        drop(seen);
        assert!(memory.admit(&signature(1), now).is_err());
        assert!(memory.admit(&signature(0), now).is_ok(), "the oldest was forgotten");
    }
}
