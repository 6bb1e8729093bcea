//! Records what the host tells the guest of one call: clocks, randomness, and the results of host calls. Or plays a recording
//! to another guest, which then sees what the first one saw and reaches nothing.
//!
//! Clock readings are recorded one by one, because a guest's behaviour may depend on each of them, and only then is a replay
//! exact. Randomness is recorded as its seed, because a guest may ask for megabytes of it. Without a recording, a guest gets
//! the system's clocks and randomness.

mod playing;
mod random;
mod recording;
pub mod stand_ins;
pub mod told;

use aviary_state::Mutex;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::steps::Span;
use crate::tape::playing::Playing;
use crate::tape::recording::Recording;
use crate::tape::stand_ins::StandIns;
use crate::tape::told::HostCall;
use crate::tape::told::Told;

pub use crate::tape::playing::UnrecordedCall;
pub use crate::tape::random::Streams;

/// The error that a guest gets in a replay for a call that the recording does not have.
pub const UNKNOWN: &str = "this is a replay, and that was not asked then";

/// The tape of one call. An empty tape records nothing.
#[derive(Clone, Debug, Default)]
pub struct Tape(Option<Arc<SharedReel>>);

#[derive(Debug)]
struct SharedReel {
    began: Instant,
    /// True if clocks and randomness are recorded or played too; false if only the times of host calls are.
    is_verbatim: bool,
    reel: Mutex<Reel>,
}

#[derive(Debug)]
enum Reel {
    Recording(Recording),
    Playing(Playing),
}

/// The arguments of a host call as JSON, if the tape needs them. See [`Tape::asked`].
#[derive(Debug, Default)]
pub struct AskedBefore(Option<Value>);

impl Tape {
    /// Creates a tape that records nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Creates a tape that records everything, for a callback whose first byte came at `began`.
    pub fn recording(began: Instant) -> Self {
        Self::with(Reel::Recording(Recording::default()), began, true)
    }

    /// Creates a tape that records the names and times of host calls but not their contents, for an observer who wants to know
    /// where the time goes.
    pub fn watching(began: Instant) -> Self {
        Self::with(Reel::Recording(Recording::default()), began, false)
    }

    /// Creates a tape that plays a recording. `at` is the arrival of its callback, counted from the Unix epoch.
    pub fn playing(told: Told, at: Duration) -> Self {
        Self::with(Reel::Playing(Playing::new(told, at)), Instant::now(), true)
    }

    fn with(reel: Reel, began: Instant, is_verbatim: bool) -> Self {
        Self(Some(Arc::new(SharedReel { began, is_verbatim, reel: Mutex::new(reel) })))
    }

    /// Returns whether the contents are recorded or played.
    pub fn is_verbatim(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.is_verbatim)
    }

    /// Returns whether the tape plays a recording.
    pub fn is_playing(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| matches!(*shared.reel.lock(), Reel::Playing(_)))
    }

    /// Takes the recording so far; `None` if the tape does not record. Anything after that is lost.
    pub fn take(&self) -> Option<Told> {
        match &mut *self.0.as_ref()?.reel.lock() {
            Reel::Recording(recording) => Some(recording.take()),
            Reel::Playing(_) => None,
        }
    }

    /// Takes the stand-ins of a recording that was played, with the masked texts that the guest has revealed.
    pub fn stand_ins(&self) -> StandIns {
        self.while_playing(Playing::take_stand_ins)
    }

    /// Takes the first few host calls that the guest made in a replay and that the recording does not have.
    pub fn take_unrecorded(&self) -> Vec<UnrecordedCall> {
        self.while_playing(Playing::take_unrecorded)
    }

    fn while_playing<T: Default>(&self, take: impl FnOnce(&mut Playing) -> T) -> T {
        match self.0.as_ref().map(|shared| shared.reel.lock()).as_deref_mut() {
            Some(Reel::Playing(playing)) => take(playing),
            Some(Reel::Recording(_)) | None => T::default(),
        }
    }

    /// Returns the guest's source of randomness, or `None` for the system's.
    pub fn streams(&self) -> Option<Streams> {
        let shared = self.0.as_ref().filter(|shared| shared.is_verbatim)?;
        let seed = match &mut *shared.reel.lock() {
            Reel::Recording(recording) => recording.seed(),
            Reel::Playing(playing) => playing.seed(),
        };
        Some(Streams::new(seed))
    }

    /// Returns the wall clock for the guest: `now`, or the recorded reading in a replay.
    pub fn wall(&self, now: Duration) -> Duration {
        let Some(shared) = &self.0 else { return now };
        match &mut *shared.reel.lock() {
            Reel::Recording(recording) => recording.wall(now),
            Reel::Playing(playing) => return playing.wall(),
        }
        now
    }

    /// Returns the monotonic clock for the guest: `now`, or the recorded reading in a replay.
    pub fn monotonic(&self, now: u64) -> u64 {
        let Some(shared) = &self.0 else { return now };
        match &mut *shared.reel.lock() {
            Reel::Recording(recording) => recording.monotonic(now),
            Reel::Playing(playing) => return playing.monotonic(),
        }
        now
    }

    /// Returns the remaining milliseconds for the guest: `now`, or the recorded reading in a replay.
    pub fn remaining_ms(&self, now: u32) -> u32 {
        let Some(shared) = &self.0 else { return now };
        match &mut *shared.reel.lock() {
            Reel::Recording(recording) => recording.remaining_ms(now),
            Reel::Playing(playing) => return playing.remaining_ms(now),
        }
        now
    }

    /// Serializes the arguments of a host call, if the tape needs them.
    pub fn asked(&self, asked: impl Serialize) -> AskedBefore {
        // The arguments are records of text and numbers, which JSON can hold.
        AskedBefore(self.is_verbatim().then(|| serde_json::to_value(asked).unwrap_or_default()))
    }

    /// Makes a host call and records its result, or returns the recorded result in a replay. `None` if the recording has no
    /// such call.
    pub async fn through<T: Serialize + DeserializeOwned>(
        &self,
        call: &'static str,
        asked: AskedBefore,
        asking: impl Future<Output = T>,
    ) -> Option<T> {
        let (Some(shared), Some(asked)) = (&self.0, asked.0) else {
            return Some(self.timed(call, asking).await);
        };
        if let Reel::Playing(playing) = &mut *shared.reel.lock() {
            return playing.recall(call, &asked);
        }
        let from = shared.began.elapsed();
        let answered = asking.await;
        shared.note(call, asked, told(&answered), from);
        Some(answered)
    }

    /// Makes a host call and records only how long it took.
    pub async fn timed<T>(&self, call: &'static str, asking: impl Future<Output = T>) -> T {
        let Some(shared) = &self.0 else { return asking.await };
        let from = shared.began.elapsed();
        let answered = asking.await;
        shared.note(call, Value::Null, Value::Null, from);
        answered
    }

    /// Does the same as [`through`](Self::through) for a host call that does not wait.
    pub fn at_once<T: Serialize + DeserializeOwned>(
        &self,
        call: &'static str,
        asked: AskedBefore,
        asking: impl FnOnce() -> T,
    ) -> Option<T> {
        let Some(shared) = &self.0 else { return Some(asking()) };
        let Some(asked) = asked.0 else {
            let from = shared.began.elapsed();
            let answered = asking();
            shared.note(call, Value::Null, Value::Null, from);
            return Some(answered);
        };
        if let Reel::Playing(playing) = &mut *shared.reel.lock() {
            return playing.recall(call, &asked);
        }
        let from = shared.began.elapsed();
        let answered = asking();
        shared.note(call, asked, told(&answered), from);
        Some(answered)
    }
}

impl SharedReel {
    fn note(&self, call: &'static str, asked: Value, answered: Value, from: Duration) {
        let span = Span::between(from, self.began.elapsed());
        if let Reel::Recording(recording) = &mut *self.reel.lock() {
            recording.call(HostCall { call: call.into(), asked, answered, span });
        }
    }
}

fn told(answered: &impl Serialize) -> Value {
    serde_json::to_value(answered).unwrap_or_default()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::recording::MAX_BYTES;

    fn recorded() -> Told {
        let tape = Tape::recording(Instant::now());
        tape.wall(Duration::from_secs(5));
        tape.monotonic(40);
        tape.remaining_ms(2400);
        for answer in [1, 2] {
            let asked = tape.asked("key");
            assert_eq!(tape.at_once("atomics.increment", asked, || answer), Some(answer));
        }
        tape.take().unwrap()
    }

    #[test]
    fn what_was_told_is_told_again() {
        let told = recorded();
        let tape = Tape::playing(told, Duration::ZERO);
        assert_eq!(tape.wall(Duration::ZERO), Duration::from_secs(5));
        assert_eq!((tape.monotonic(0), tape.remaining_ms(0)), (40, 2400));
        let again = || tape.at_once("atomics.increment", tape.asked("key"), || unreachable!());
        assert_eq!((again(), again()), (Some(1), Some(2)));
        assert_eq!(again(), None::<i32>, "it was asked twice, and no more");
        let unrecorded =
            UnrecordedCall { call: "atomics.increment".to_owned(), asked: "key".into() };
        assert_eq!(tape.take_unrecorded(), [unrecorded]);
    }

    #[test]
    fn who_watches_sees_calls_and_no_word_of_them() {
        let tape = Tape::watching(Instant::now());
        let asked = tape.asked("key");
        assert_eq!(tape.at_once("atomics.increment", asked, || 1), Some(1));
        let told = tape.take().unwrap();
        let [call] = told.calls.as_slice() else { panic!("{told:?}") };
        assert_eq!(
            (&*call.call, &call.asked, &call.answered),
            ("atomics.increment", &Value::Null, &Value::Null)
        );
    }

    #[test]
    fn clocks_go_on_where_the_tape_ends() {
        let tape = Tape::playing(recorded(), Duration::ZERO);
        let (first, second) = (tape.wall(Duration::ZERO), tape.wall(Duration::ZERO));
        assert!(second > first);
        let (first, second, third) = (tape.monotonic(0), tape.monotonic(0), tape.monotonic(0));
        assert!(first < second && second < third);
        assert_eq!(tape.remaining_ms(0), tape.remaining_ms(0));
    }

    #[test]
    fn randomness_comes_from_the_seed() {
        let draw = |tape: &Tape| {
            let (mut secure, mut insecure) = ([0; 40], [0; 40]);
            let mut streams = tape.streams().unwrap();
            streams.secure().fill(&mut secure);
            streams.insecure().fill(&mut insecure);
            (secure, insecure, streams.insecure_seed())
        };
        let one = Tape::recording(Instant::now());
        let other = Tape::recording(Instant::now());
        let first = draw(&one);
        assert_ne!(first, draw(&other));
        assert_ne!(first.0, first.1);
        assert_eq!(first, draw(&Tape::playing(one.take().unwrap(), Duration::ZERO)));
    }

    #[test]
    fn a_loop_does_not_fill_the_memory() {
        let tape = Tape::recording(Instant::now());
        for _ in 0..MAX_BYTES / 4 {
            tape.monotonic(1);
        }
        let told = tape.take().unwrap();
        assert!(told.cut && told.monotonic_ns.len() <= MAX_BYTES / size_of::<u64>());
    }
}
