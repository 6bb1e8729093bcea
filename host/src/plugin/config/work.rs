//! How long a plugin may work on an event of the inbox, in which order, and what happens when it fails.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;

/// The longest time for one try: an hour.
const MOST_TIME_MS: u64 = 3_600_000;
/// The longest pause after a first failure: an hour.
const MOST_PAUSE_MS: u64 = 3_600_000;
/// The most tries. What has failed so often does not succeed because it is tried again.
const MOST_TRIES: u32 = 20;

/// `acknowledge` of a sidecar file: when the platform is told that an event needs not be sent again.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// As soon as the event is in the inbox. The plugin works on it afterwards.
    #[default]
    WhenStored,
    /// When the plugin has handled it. An event that is not handled by the deadline is sent again by the platform.
    WhenDone,
}

/// `[work]` of a sidecar file: work on the events in the inbox.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkConfig {
    /// Milliseconds that one try may take, 1000 to 3600000. The fuel is `limits.fuel`, as for every call.
    pub time_ms: u64,
    /// Tries before an event is set aside, 1 to 20.
    pub tries: u32,
    /// Milliseconds until the second try, 1 to 3600000. Each further pause is twice as long, an hour at most.
    pub pause_ms: u64,
    /// The events that are worked on one after the other.
    pub order: WorkOrder,
    /// Events of the plugin that may be in the inbox; half of `inbox.entries` by default.
    pub entries: Option<u64>,
    /// Bytes of those events; half of `inbox.bytes` by default.
    pub bytes: Option<u64>,
}

impl Default for WorkConfig {
    fn default() -> Self {
        Self {
            time_ms: 300_000,
            tries: 3,
            pause_ms: 5000,
            order: WorkOrder::default(),
            entries: None,
            bytes: None,
        }
    }
}

/// The events that are worked on one after the other.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum WorkOrder {
    /// `chat`: those of one chat; where no chat is named, those of one person.
    #[default]
    Chat,
    /// `none`: all events side by side.
    None,
    /// A JSON pointer into the body: those with the same value there, and by chat where there is none.
    Pointer(String),
}

/// A text that names no order.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an order: \"chat\", \"none\", or a JSON pointer into the event's body like \"/event/message/root_id\""
)]
pub struct NotAnOrder(String);

impl TryFrom<String> for WorkOrder {
    type Error = NotAnOrder;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "chat" => Ok(Self::Chat),
            "none" => Ok(Self::None),
            pointer if pointer.starts_with('/') => Ok(Self::Pointer(text)),
            _ => Err(NotAnOrder(text)),
        }
    }
}

impl WorkConfig {
    /// Checks that the numbers are in range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("work");
        section.in_range("time_ms", self.time_ms, 1000..=MOST_TIME_MS)?;
        section.in_range("tries", self.tries, 1..=MOST_TRIES)?;
        section.in_range("pause_ms", self.pause_ms, 1..=MOST_PAUSE_MS)?;
        for (key, number) in [("entries", self.entries), ("bytes", self.bytes)] {
            number.map_or(Ok(()), |number| section.at_least(key, number, 1))?;
        }
        Ok(())
    }

    /// Returns the time that one try may take.
    pub fn time(&self) -> Duration {
        Duration::from_millis(self.time_ms)
    }

    /// Returns the pause after that many failures.
    pub fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(32);
        let pause_ms = self.pause_ms.saturating_mul(1 << doublings);
        Duration::from_millis(pause_ms.min(MOST_PAUSE_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(text: &str) -> WorkConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn each_pause_is_twice_as_long_and_an_hour_at_most() {
        let pauses =
            |text: &str| [1, 2, 3, 40].map(|failures| work(text).pause(failures).as_millis());
        assert_eq!(pauses("pause_ms = 10"), [10, 20, 40, 3_600_000]);
        assert_eq!(pauses("pause_ms = 3600000"), [3_600_000; 4]);
    }

    #[test]
    fn an_order_is_a_word_or_a_pointer() {
        assert_eq!(work("").order, WorkOrder::Chat);
        assert_eq!(work("order = \"none\"").order, WorkOrder::None);
        let pointer = WorkOrder::Pointer("/event/message/root_id".to_owned());
        assert_eq!(work("order = \"/event/message/root_id\"").order, pointer);
        let wrong = toml::from_str::<WorkConfig>("order = \"chats\"").unwrap_err().to_string();
        assert!(wrong.contains("`chats` is not an order"), "{wrong}");
    }

    #[test]
    fn numbers_have_a_range() {
        for wrong in
            ["time_ms = 999", "time_ms = 3600001", "tries = 0", "pause_ms = 0", "bytes = 0"]
        {
            assert!(work(wrong).validate().is_err(), "{wrong}");
        }
        work("time_ms = 3600000\ntries = 20").validate().unwrap();
    }
}
