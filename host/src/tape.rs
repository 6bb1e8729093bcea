//! What the host told one call's guest: clocks, randomness, and the results of its calls. Taken down while the guest runs, or
//! played to another one, which then sees what the first saw and reaches nothing.
//!
//! Readings of the clocks are kept one by one, because what a guest does may depend on each of them; only so is a replay
//! exact. Randomness is kept as the seed it was made from, because a guest may ask for megabytes of it. A guest that is
//! not taken down has the system's own of both.

pub mod stand_ins;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::steps::Span;
use crate::tape::stand_ins::StandIns;

/// Bytes of one call's readings and results that are kept. A card has 30 KB; a guest that reads the clock in a loop has no
/// right to the host's memory.
const MOST_BYTES: usize = 1 << 20;
/// What one entry counts for besides its text.
const ENTRY_BYTES: usize = 64;
/// How far a clock goes on with each reading that was not recorded, so that no guest waits for it for ever.
const TICK: Duration = Duration::from_micros(1);
/// Keeps the two kinds of randomness apart that come from one seed.
const SECURE: &[u8] = b"aviary secure random";
const INSECURE: &[u8] = b"aviary insecure random";

/// Calls that the recording does not have and that are reported.
const MAX_UNRECORDED: usize = 8;

/// What a guest is told that asks, in a replay, what was not asked then.
pub const UNKNOWN: &str = "this is a replay, and that was not asked then";

/// Bytes that are mostly text. As text they can be read, and masked.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Blob {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|not| Self::Bytes(not.into_bytes()), Self::Text)
    }
}

impl From<Blob> for Vec<u8> {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Text(text) => text.into_bytes(),
            Blob::Bytes(bytes) => bytes,
        }
    }
}

/// One call of the host by a guest.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct HostCall {
    /// Interface and function, for example `open-api.call`.
    pub call: Cow<'static, str>,
    /// What was asked.
    pub asked: Value,
    /// What was answered.
    pub answered: Value,
    /// When, and for how long.
    #[serde(flatten)]
    pub span: Span,
}

/// A call that a guest made in a replay and that was not made when the tape was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct UnrecordedCall {
    /// Interface and function, for example `open-api.call`.
    pub call: String,
    /// What was asked. It may hold credentials.
    pub asked: Value,
}

/// 64 hex digits in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Seed([u8; 32]);

impl Seed {
    /// From which nobody can tell what another one is.
    fn random() -> Self {
        Self(rand::random())
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex::Buffer::<32>::new().format(&self.0))
    }
}

impl TryFrom<String> for Seed {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut seed = [0; 32];
        hex::decode_to_slice(text, &mut seed)?;
        Ok(Self(seed))
    }
}

/// Everything that one call was told. Most plugins ask for little of it, and what they did not ask for is not written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Told {
    /// What its randomness is made from; none if it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// Readings of the wall clock, nanoseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wall_ns: Vec<u64>,
    /// Readings of the monotonic clock, in nanoseconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monotonic_ns: Vec<u64>,
    /// How long there was left, each time it asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remaining_ms: Vec<u32>,
    /// Its calls, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<HostCall>,
    /// What stands in the journal where the plugin said a text that is masked. A plugin that is played says that text again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stand_ins: Vec<String>,
    /// There was more than is kept, so this cannot be played.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Told {
    /// Changes what was asked and answered, each as the text of JSON; not where `change` has nothing to change.
    pub fn each_value(&mut self, change: &mut dyn FnMut(&str) -> Option<String>) {
        for HostCall { asked, answered, .. } in &mut self.calls {
            for value in [asked, answered] {
                if let Some(changed) = change(&value.to_string()) {
                    *value = serde_json::from_str(&changed).unwrap_or_default();
                }
            }
        }
    }

    /// About how much memory it holds.
    pub fn size(&self) -> usize {
        let text = |call: &HostCall| {
            ENTRY_BYTES + size_of_text(&call.asked) + size_of_text(&call.answered)
        };
        let readings = self.wall_ns.len() + self.monotonic_ns.len() + self.remaining_ms.len();
        readings * size_of::<u64>() + self.calls.iter().map(text).sum::<usize>()
    }
}

/// One call's tape. Without one, nothing is taken down.
#[derive(Clone, Debug, Default)]
pub struct Tape(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// Whether its clocks and its randomness are ours to keep or to play, and not only the system's own.
    is_verbatim: bool,
    reel: Mutex<Reel>,
}

#[derive(Debug)]
enum Reel {
    Recording { told: Told, bytes: usize },
    Playing(Playing),
}

#[derive(Debug)]
struct Playing {
    told: Told,
    stand_ins: StandIns,
    wall: usize,
    monotonic: usize,
    remaining: usize,
    used: Vec<bool>,
    /// Where the wall clock stands if it was not read then.
    at: Duration,
    unrecorded: Vec<UnrecordedCall>,
}

impl Tape {
    /// Nothing is taken down.
    pub fn off() -> Self {
        Self(None)
    }

    /// Takes everything down, for a callback whose first byte came at `began`.
    pub fn recording(began: Instant) -> Self {
        Self::blank(began, true)
    }

    /// Takes down which calls it makes and how long they take, and no word of them: for somebody who wants to see where the
    /// time goes.
    pub fn watching(began: Instant) -> Self {
        Self::blank(began, false)
    }

    fn blank(began: Instant, is_verbatim: bool) -> Self {
        let reel = Mutex::new(Reel::Recording { told: Told::default(), bytes: 0 });
        Self(Some(Arc::new(Shared { began, is_verbatim, reel })))
    }

    /// Tells a guest what another one was told, about a callback that came at `at` after the Unix epoch.
    pub fn playing(told: Told, at: Duration) -> Self {
        let used = vec![false; told.calls.len()];
        let (wall, monotonic, remaining, unrecorded) = (0, 0, 0, Vec::new());
        let stand_ins = StandIns::new(&told.stand_ins);
        let playing = Playing { told, stand_ins, wall, monotonic, remaining, used, at, unrecorded };
        let reel = Mutex::new(Reel::Playing(playing));
        Self(Some(Arc::new(Shared { began: Instant::now(), is_verbatim: true, reel })))
    }

    /// Whether every word is taken down or played.
    pub fn is_verbatim(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.is_verbatim)
    }

    /// Whether what is asked is answered as then.
    pub fn is_playing(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| matches!(*shared.lock(), Reel::Playing(_)))
    }

    /// What was taken down so far. What comes later is lost.
    pub fn take(&self) -> Option<Told> {
        match &mut *self.0.as_ref()?.lock() {
            Reel::Recording { told, .. } => Some(std::mem::take(told)),
            Reel::Playing(_) => None,
        }
    }

    /// What stands in the journal for what the guest said while it played, as far as that is known.
    pub fn stand_ins(&self) -> StandIns {
        match self.0.as_ref().map(|shared| shared.lock()).as_deref_mut() {
            Some(Reel::Playing(playing)) => std::mem::take(&mut playing.stand_ins),
            Some(Reel::Recording { .. }) | None => StandIns::default(),
        }
    }

    /// The calls that the guest made while the tape played and that the recording does not have: the first few of them.
    pub fn take_unrecorded(&self) -> Vec<UnrecordedCall> {
        match self.0.as_ref().map(|shared| shared.lock()).as_deref_mut() {
            Some(Reel::Playing(playing)) => std::mem::take(&mut playing.unrecorded),
            Some(Reel::Recording { .. }) | None => Vec::new(),
        }
    }

    /// Where its randomness comes from, unless it is the system's own.
    pub fn streams(&self) -> Option<Streams> {
        let shared = self.0.as_ref().filter(|shared| shared.is_verbatim)?;
        let Seed(seed) = match &mut *shared.lock() {
            Reel::Recording { told, .. } => *told.seed.get_or_insert_with(Seed::random),
            // Who asked for none then may ask for some now, and gets the same in each replay.
            Reel::Playing(playing) => playing.told.seed.unwrap_or_default(),
        };
        Some(Streams { seed, secure: None, insecure: None })
    }

    /// The wall clock, which stands there now.
    pub fn wall(&self, now: Duration) -> Duration {
        let Some(shared) = &self.0 else { return now };
        match &mut *shared.lock() {
            Reel::Recording { told, bytes } => {
                keep(bytes, &mut told.cut, size_of::<u64>(), || told.wall_ns.push(nanos(now)));
                now
            }
            Reel::Playing(playing) => {
                let known = playing.told.wall_ns.get(playing.wall);
                playing.at = known.map_or(playing.at + TICK, |ns| Duration::from_nanos(*ns));
                playing.wall += 1;
                playing.at
            }
        }
    }

    /// The monotonic clock, which shows that now.
    pub fn monotonic(&self, now: u64) -> u64 {
        let Some(shared) = &self.0 else { return now };
        match &mut *shared.lock() {
            Reel::Recording { told, bytes } => {
                keep(bytes, &mut told.cut, size_of::<u64>(), || told.monotonic_ns.push(now));
                now
            }
            Reel::Playing(playing) => {
                let (all, index) = (&playing.told.monotonic_ns, playing.monotonic);
                playing.monotonic += 1;
                all.get(index).copied().unwrap_or_else(|| {
                    let beyond = (index - all.len()) as u64 + 1;
                    all.last().copied().unwrap_or(0) + beyond * nanos(TICK)
                })
            }
        }
    }

    /// How long there is left.
    pub fn remaining_ms(&self, now: u32) -> u32 {
        let Some(shared) = &self.0 else { return now };
        match &mut *shared.lock() {
            Reel::Recording { told, bytes } => {
                keep(bytes, &mut told.cut, size_of::<u32>(), || told.remaining_ms.push(now));
                now
            }
            Reel::Playing(playing) => {
                let all = &playing.told.remaining_ms;
                let known = all.get(playing.remaining).or(all.last()).copied().unwrap_or(now);
                playing.remaining += 1;
                known
            }
        }
    }

    /// What is asked, where somebody wants to know.
    pub fn asked(&self, asked: impl Serialize) -> Asked {
        // What a guest hands over are records of text and numbers, which JSON can hold.
        Asked(self.is_verbatim().then(|| serde_json::to_value(asked).unwrap_or_default()))
    }

    /// Asks, and takes down what was answered; or answers as then. `None`: that was not asked then.
    pub async fn through<T: Serialize + DeserializeOwned>(
        &self,
        call: &'static str,
        asked: Asked,
        asking: impl Future<Output = T>,
    ) -> Option<T> {
        let (Some(shared), Some(asked)) = (&self.0, asked.0) else {
            return Some(self.timed(call, asking).await);
        };
        if let Reel::Playing(playing) = &mut *shared.lock() {
            return playing.recall(call, &asked);
        }
        let from = shared.began.elapsed();
        let answered = asking.await;
        shared.note(call, asked, told(&answered), from);
        Some(answered)
    }

    /// Asks, and takes down how long that took.
    pub async fn timed<T>(&self, call: &'static str, asking: impl Future<Output = T>) -> T {
        let Some(shared) = &self.0 else { return asking.await };
        let from = shared.began.elapsed();
        let answered = asking.await;
        shared.note(call, Value::Null, Value::Null, from);
        answered
    }

    /// The same for what is answered at once.
    pub fn at_once<T: Serialize + DeserializeOwned>(
        &self,
        call: &'static str,
        asked: Asked,
        asking: impl FnOnce() -> T,
    ) -> Option<T> {
        let Some(shared) = &self.0 else { return Some(asking()) };
        let Some(asked) = asked.0 else {
            let from = shared.began.elapsed();
            let answered = asking();
            shared.note(call, Value::Null, Value::Null, from);
            return Some(answered);
        };
        if let Reel::Playing(playing) = &mut *shared.lock() {
            return playing.recall(call, &asked);
        }
        let from = shared.began.elapsed();
        let answered = asking();
        shared.note(call, asked, told(&answered), from);
        Some(answered)
    }
}

/// The randomness of one call. Few draw from it, so nothing is made before.
#[derive(Debug)]
pub struct Streams {
    seed: [u8; 32],
    secure: Option<blake3::OutputReader>,
    insecure: Option<blake3::OutputReader>,
}

impl Streams {
    /// What a guest's own generator begins with: half of the seed. The other half is as hard to guess as any key.
    pub fn insecure_seed(&self) -> u128 {
        let mut half = [0; 16];
        half.copy_from_slice(&self.seed[..16]);
        u128::from_le_bytes(half)
    }

    /// That may make keys.
    pub fn secure(&mut self) -> &mut blake3::OutputReader {
        self.secure.get_or_insert_with(|| stream(&self.seed, SECURE))
    }

    /// That may not.
    pub fn insecure(&mut self) -> &mut blake3::OutputReader {
        self.insecure.get_or_insert_with(|| stream(&self.seed, INSECURE))
    }
}

fn stream(seed: &[u8; 32], purpose: &[u8]) -> blake3::OutputReader {
    blake3::Hasher::new_keyed(seed).update(purpose).finalize_xof()
}

/// See [`Tape::asked`].
#[derive(Debug, Default)]
pub struct Asked(Option<Value>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Reel> {
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, call: &'static str, asked: Value, answered: Value, from: Duration) {
        let span = Span::between(from, self.began.elapsed());
        let size = ENTRY_BYTES + size_of_text(&asked) + size_of_text(&answered);
        if let Reel::Recording { told, bytes } = &mut *self.lock() {
            let call = HostCall { call: call.into(), asked, answered, span };
            keep(bytes, &mut told.cut, size, || told.calls.push(call));
        }
    }
}

fn told(answered: &impl Serialize) -> Value {
    serde_json::to_value(answered).unwrap_or_default()
}

impl Playing {
    fn recall<T: DeserializeOwned>(&mut self, call: &str, asked: &Value) -> Option<T> {
        let found = self.asked_then(call, asked);
        let answered = found.map(|index| (index, self.told.calls[index].answered.clone()));
        if let Some((index, answered)) = answered
            && let Ok(answered) = serde_json::from_value(answered)
        {
            self.used[index] = true;
            return Some(answered);
        }
        if self.unrecorded.len() < MAX_UNRECORDED {
            self.unrecorded.push(UnrecordedCall { call: call.to_owned(), asked: asked.clone() });
        }
        None
    }

    /// Where that was asked: word for word, or else with what stands for a text that is masked.
    fn asked_then(&mut self, call: &str, asked: &Value) -> Option<usize> {
        let Self { told, stand_ins, used, .. } = self;
        let left = || {
            let calls = told.calls.iter().enumerate().zip(&*used);
            calls.filter(|((_, then), used)| !**used && then.call == call).map(|(then, _)| then)
        };
        let exactly = left().find(|(_, then)| then.asked == *asked);
        exactly
            .or_else(|| left().find(|(_, then)| stand_ins.same(&then.asked, asked)))
            .map(|(index, _)| index)
    }
}

fn keep(bytes: &mut usize, cut: &mut bool, size: usize, push: impl FnOnce()) {
    *bytes += size;
    if *bytes > MOST_BYTES { *cut = true } else { push() }
}

fn size_of_text(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => size_of::<u64>(),
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size_of_text).sum(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| key.len() + size_of_text(value)).sum()
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for _ in 0..MOST_BYTES / 4 {
            tape.monotonic(1);
        }
        let told = tape.take().unwrap();
        assert!(told.cut && told.monotonic_ns.len() <= MOST_BYTES / size_of::<u64>());
    }
}
