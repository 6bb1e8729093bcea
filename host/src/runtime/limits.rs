//! What one call may use up. Every limit has a default, a setting and a reason.

use serde::Deserialize;

use crate::open_api::rate_limit::Rate;
use crate::setting::Section;
use crate::setting::SettingError;

/// No plugin may be given more memory than a place in the pool has: 1 GiB.
pub const MAX_MEMORY_BYTES: usize = 1 << 30;
/// Function pointers in all tables of a call together; the largest runtimes have a tenth of that. Each costs the host
/// eight bytes, which no memory limit sees.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;
/// A component made by a language with a runtime of its own is several core modules linked together.
pub(super) const MAX_CORE_INSTANCES: u32 = 64;
/// Of those, some bring a memory.
pub(super) const MAX_MEMORIES: u32 = 8;
/// Likewise a table.
pub(super) const MAX_TABLES: u32 = 32;
/// Handles that a call may hold at once: pollables, streams, errors. A guest needs a few; each costs the host some
/// hundred bytes, which no memory limit sees either.
pub(super) const MAX_HANDLES: usize = 1024;
/// The most that a plugin may be allowed to log or to answer in one call: 16 MiB.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// The most requests to the server API, in whatever time. The host remembers those of the last minute.
const MAX_API_RATE: u64 = 100_000;

/// `[limits]` of a sidecar file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// CPU budget of one call in wasmtime's units of about one instruction each; the same call costs the same number on
    /// every machine. The default is a second or less of one core: clicks are answered in milliseconds. A call of the
    /// host costs [`HOST_CALL_FUEL`](crate::runtime::call::host_call_hook::HOST_CALL_FUEL).
    pub fuel: u64,
    /// Linear memory of one call, all of an instance's memories together. The default holds a language with a runtime of
    /// its own, and the places of a full host stay within a few gigabytes.
    pub memory_bytes: usize,
    /// Text that a reply may hold. A card is at most 30 KB, and is said in up to 16 languages by nobody.
    pub reply_bytes: usize,
    /// Text that one call may write to the log, printed lines included. What is beyond is dropped and counted: a
    /// megabyte a second of log helps nobody.
    pub log_bytes: usize,
    /// Calls of this plugin that may be under way at once, and as many may wait. The default is half of the places that
    /// a host has by default.
    pub calls: u32,
    /// Requests to the server API in a second, over all of its calls. The default is what the platform takes by most of its
    /// interfaces, and leaves half of what an app may ask for to others.
    pub api_per_second: u32,
    /// The same in a minute.
    pub api_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            memory_bytes: 64 << 20,
            reply_bytes: 128 << 10,
            log_bytes: 64 << 10,
            calls: 64,
            api_per_second: 50,
            api_per_minute: 1000,
        }
    }
}

impl Limits {
    /// How often it may ask the server API.
    pub fn api_rate(&self) -> Rate {
        Rate { in_a_second: self.api_per_second, in_a_minute: self.api_per_minute as usize }
    }

    /// Checks the numbers.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("limits");
        section.in_range("fuel", self.fuel, 1..=u64::MAX)?;
        section.in_range("memory_bytes", self.memory_bytes, 1..=MAX_MEMORY_BYTES)?;
        section.in_range("reply_bytes", self.reply_bytes as u64, 1..=MAX_TEXT_BYTES)?;
        section.in_range("log_bytes", self.log_bytes as u64, 1..=MAX_TEXT_BYTES)?;
        section.in_range("calls", self.calls, 1..=1000)?;
        section.in_range("api_per_second", u64::from(self.api_per_second), 1..=MAX_API_RATE)?;
        section.in_range("api_per_minute", u64::from(self.api_per_minute), 1..=MAX_API_RATE)
    }
}
