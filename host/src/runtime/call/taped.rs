//! The clocks and random numbers of a guest whose calls are recorded or replayed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use aviary_state::Mutex;
use rand::TryRng;
use wasmtime_wasi::HostMonotonicClock;
use wasmtime_wasi::HostWallClock;
use wasmtime_wasi::WasiCtxBuilder;

use crate::clock::since_epoch;
use crate::tape::Streams;
use crate::tape::Tape;

/// The resolution of the system's clocks.
const RESOLUTION: Duration = Duration::from_nanos(1);

/// The tape of the instance's current call. A kept instance gets another tape for each call.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Taped(Arc<Mutex<TapedCall>>);

#[derive(Debug)]
struct TapedCall {
    tape: Tape,
    streams: Streams,
}

impl TapedCall {
    fn on(tape: &Tape) -> Option<Self> {
        Some(Self { tape: tape.clone(), streams: tape.streams()? })
    }
}

impl Taped {
    /// Returns `None` if the call is neither recorded nor replayed.
    pub(in crate::runtime) fn of(tape: &Tape) -> Option<Self> {
        TapedCall::on(tape).map(|call| Self(Arc::new(Mutex::new(call))))
    }

    /// Switches to the tape of another call. It has streams if the first tape had: a host with a journal records all calls.
    pub(in crate::runtime) fn change(&self, tape: &Tape) {
        if let Some(call) = TapedCall::on(tape) {
            *self.0.lock() = call;
        }
    }

    /// Replaces the system's clocks and random numbers.
    pub(in crate::runtime) fn give_to(&self, builder: &mut WasiCtxBuilder) {
        builder
            .wall_clock(self.clone())
            .monotonic_clock(Monotonic { taped: self.clone(), began: Instant::now() })
            .secure_random(Random { taped: self.clone(), which: Which::Secure })
            .insecure_random(Random { taped: self.clone(), which: Which::Insecure })
            .insecure_random_seed(self.0.lock().streams.insecure_seed());
    }
}

impl HostWallClock for Taped {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        self.0.lock().tape.wall(since_epoch())
    }
}

struct Monotonic {
    taped: Taped,
    began: Instant,
}

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.taped.0.lock().tape.monotonic(now)
    }
}

#[derive(Clone, Copy)]
enum Which {
    Secure,
    Insecure,
}

struct Random {
    taped: Taped,
    which: Which,
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let mut call = self.taped.0.lock();
        match self.which {
            Which::Secure => call.streams.secure().fill(bytes),
            Which::Insecure => call.streams.insecure().fill(bytes),
        }
        Ok(())
    }
}
