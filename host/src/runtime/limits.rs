//! Limits of one call. Every limit has a default, a setting and a reason.

use serde::Deserialize;

use crate::open_api::rate_limit::Rate;
use crate::setting::Section;
use crate::setting::SettingError;

/// The most memory that a plugin may be given: a place in the pool has 1 GiB.
pub const MAX_MEMORY_BYTES: usize = 1 << 30;
/// Function pointers in all tables of a call together. The largest runtimes have a tenth of that. Each costs the host eight
/// bytes, which the memory limit does not count.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Core modules in one component. In a language with a runtime of its own, a component consists of several.
pub(super) const MAX_CORE_INSTANCES: u32 = 64;
/// Memories in one component.
pub(super) const MAX_MEMORIES: u32 = 8;
/// Tables in one component.
pub(super) const MAX_TABLES: u32 = 32;
/// Handles that a call may hold at once: pollables, streams, errors. A guest needs a few. Each costs the host some hundred
/// bytes, which the memory limit does not count either.
pub(super) const MAX_HANDLES: usize = 1024;
/// The most that a plugin may be allowed to log or to answer in one call: 16 MiB.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// The highest rate of server API requests, per second or per minute. The host remembers those of the last minute.
const MAX_API_RATE: u64 = 100_000;

/// `[limits]` of a sidecar file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Processor budget of one call in wasmtime's units of about one instruction each; the same call costs the same number on
    /// every machine. The default is a second or less of one core, while healthy clicks take milliseconds. A call of the host
    /// costs [`HOST_CALL_FUEL`](crate::runtime::call::host_call_hook::HOST_CALL_FUEL).
    pub fuel: u64,
    /// Linear memory of one call in bytes, all of an instance's memories together. The default fits a language with a runtime
    /// of its own, and keeps the places of a full host within a few gigabytes.
    pub memory_bytes: usize,
    /// Bytes of text that a reply may hold. A card has at most 30 KB, and few are written in 16 languages.
    pub reply_bytes: usize,
    /// Bytes that one call may write to the log, printed lines included. The rest is dropped and counted: a megabyte of log a
    /// second helps nobody.
    pub log_bytes: usize,
    /// Calls of this plugin that may be under way at once; as many may wait. The default is half of the places that a host has
    /// by default.
    pub calls: u32,
    /// Requests to the server API in a second, over all calls of the plugin. The default is the platform's limit for most of
    /// its interfaces, and leaves half of the app's quota to others.
    pub api_per_second: u32,
    /// Requests to the server API in a minute, over all calls of the plugin.
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
    /// Returns the rate at which the plugin may call the server API.
    pub fn api_rate(&self) -> Rate {
        Rate { in_a_second: self.api_per_second, in_a_minute: self.api_per_minute as usize }
    }

    /// Checks that the numbers are in range.
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
