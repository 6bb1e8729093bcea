//! A tape that records what a guest is told, up to a limit.

use std::time::Duration;

use crate::tape::nanos;
use crate::tape::random::Seed;
use crate::tape::told::HostCall;
use crate::tape::told::Told;

/// Most bytes of readings and results of one call. A card has 30 KB; a guest that reads the clock in a loop must not fill the
/// host's memory.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The recording so far.
#[derive(Debug, Default)]
pub(super) struct Recording {
    told: Told,
    bytes: usize,
}

impl Recording {
    /// Takes the recording and ends it. Anything after that is lost.
    pub(super) fn take(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    pub(super) fn seed(&mut self) -> Seed {
        *self.told.seed.get_or_insert_with(Seed::random)
    }

    pub(super) fn wall(&mut self, now: Duration) {
        if self.has_room_for(size_of::<u64>()) {
            self.told.wall_ns.push(nanos(now));
        }
    }

    pub(super) fn monotonic(&mut self, now: u64) {
        if self.has_room_for(size_of::<u64>()) {
            self.told.monotonic_ns.push(now);
        }
    }

    pub(super) fn remaining_ms(&mut self, now: u32) {
        if self.has_room_for(size_of::<u32>()) {
            self.told.remaining_ms.push(now);
        }
    }

    pub(super) fn call(&mut self, call: HostCall) {
        if self.has_room_for(call.size()) {
            self.told.calls.push(call);
        }
    }

    fn has_room_for(&mut self, size: usize) -> bool {
        self.bytes += size;
        let has_room = self.bytes <= MAX_BYTES;
        self.told.cut |= !has_room;
        has_room
    }
}
