//! A tape that plays a recording to another guest.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::tape::nanos;
use crate::tape::random::Seed;
use crate::tape::stand_ins::StandIns;
use crate::tape::told::Told;

/// How far a clock advances with each reading beyond the recording, so that no guest waits for it for ever.
const TICK: Duration = Duration::from_micros(1);
/// Most unrecorded calls that are reported.
const MAX_UNRECORDED: usize = 8;

/// A host call that a guest made in a replay and that the recording does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct UnrecordedCall {
    /// Interface and function, for example `open-api.call`.
    pub call: String,
    /// The arguments. They may hold credentials.
    pub asked: Value,
}

/// A recording, and the position in it.
#[derive(Debug)]
pub(super) struct Playing {
    told: Told,
    stand_ins: StandIns,
    /// Readings of the wall clock that were played.
    wall: usize,
    /// Readings of the monotonic clock that were played.
    monotonic: usize,
    /// Readings of the remaining time that were played.
    remaining: usize,
    /// For each recorded call, whether it was played.
    used: Vec<bool>,
    /// The wall clock where the recording has no reading.
    at: Duration,
    unrecorded: Vec<UnrecordedCall>,
}

impl Playing {
    /// Starts at the beginning. `at` is the arrival of the callback, counted from the Unix epoch.
    pub(super) fn new(told: Told, at: Duration) -> Self {
        Self {
            stand_ins: StandIns::new(&told.stand_ins),
            wall: 0,
            monotonic: 0,
            remaining: 0,
            used: vec![false; told.calls.len()],
            told,
            at,
            unrecorded: Vec::new(),
        }
    }

    pub(super) fn take_stand_ins(&mut self) -> StandIns {
        std::mem::take(&mut self.stand_ins)
    }

    pub(super) fn take_unrecorded(&mut self) -> Vec<UnrecordedCall> {
        std::mem::take(&mut self.unrecorded)
    }

    /// Returns the recorded seed. A guest that asks for randomness only in a replay gets the same in each replay.
    pub(super) fn seed(&self) -> Seed {
        self.told.seed.unwrap_or_default()
    }

    pub(super) fn wall(&mut self) -> Duration {
        let known = self.told.wall_ns.get(self.wall);
        self.at = known.map_or(self.at + TICK, |ns| Duration::from_nanos(*ns));
        self.wall += 1;
        self.at
    }

    pub(super) fn monotonic(&mut self) -> u64 {
        let (all, index) = (&self.told.monotonic_ns, self.monotonic);
        self.monotonic += 1;
        all.get(index).copied().unwrap_or_else(|| {
            let beyond = (index - all.len()) as u64 + 1;
            all.last().copied().unwrap_or(0) + beyond * nanos(TICK)
        })
    }

    /// Returns the recorded reading, then the last one again; `now` if the recording has no reading at all.
    pub(super) fn remaining_ms(&mut self, now: u32) -> u32 {
        let all = &self.told.remaining_ms;
        let known = all.get(self.remaining).or(all.last()).copied().unwrap_or(now);
        self.remaining += 1;
        known
    }

    /// Returns the recorded result of that call, or `None` if the recording has no such call that is left.
    pub(super) fn recall<T: DeserializeOwned>(&mut self, call: &str, asked: &Value) -> Option<T> {
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

    /// Finds a call with these arguments that was not played yet: exactly the same, or else equal but for masked texts.
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
