//! What one call may use up. Every limit has a default, a setting and a reason.

use serde::Deserialize;
use wasmtime::ResourceLimiter;

/// No plugin may be given more memory than a place in the pool has: 1 GiB.
pub const MAX_MEMORY_BYTES: usize = 1 << 30;
/// Tables an instance may have in all its modules; the largest runtimes have a dozen.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// `[limits]` of a sidecar file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// CPU budget of one call in wasmtime's units of about one instruction each; the same call costs the same number on
    /// every machine. The default is a second or less of one core: clicks are answered in milliseconds.
    pub fuel: u64,
    /// Linear memory of one call, all of an instance's memories together.
    pub memory_bytes: usize,
    /// Text that a reply may hold. A card is at most 30 KB.
    pub reply_bytes: usize,
    /// Calls of this plugin that may be under way at once.
    pub calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fuel: 10_000_000_000, memory_bytes: 64 << 20, reply_bytes: 128 << 10, calls: 64 }
    }
}

/// A limit that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("limits.{name} must be between 1 and {most}")]
pub struct LimitsError {
    name: &'static str,
    most: u64,
}

impl Limits {
    /// Checks the numbers.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let in_range = |name, value: u64, most: u64| {
            let fits = (1..=most).contains(&value);
            if fits { Ok(()) } else { Err(LimitsError { name, most }) }
        };
        in_range("fuel", self.fuel, u64::MAX)?;
        in_range("memory_bytes", self.memory_bytes as u64, MAX_MEMORY_BYTES as u64)?;
        in_range("reply_bytes", self.reply_bytes as u64, 16 << 20)?;
        in_range("calls", u64::from(self.calls), 1000)
    }
}

/// Counts the memory of one instance, and remembers whether it was refused any: a guest that is refused crashes, and
/// the crash alone does not say why.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    limit: usize,
    used: usize,
    refused: bool,
}

impl MemoryLimiter {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: 0, refused: false }
    }

    pub(super) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used + desired.saturating_sub(current);
        if used > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS && maximum.is_none_or(|maximum| desired <= maximum))
    }
}
