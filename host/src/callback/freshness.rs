//! Limits the age of a signed request. The door passes in the current time: this module has no clock.

use serde::Deserialize;

/// Seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixSeconds(pub u64);

/// The longest window in seconds. Whoever needs more than a day wants `"off"`.
const LONGEST_WINDOW: u64 = 86_400;
/// The default window in seconds: the platform's own advice, longer than any delay on the way and the error of any clock that is
/// set by the network.
const DEFAULT_WINDOW: u64 = 300;

/// The largest allowed difference between a signature's time and now, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenWindow")]
pub enum SignatureWindow {
    /// The window in seconds; a signature is accepted once within it.
    Seconds(u64),
    /// Accepts requests of any age. Whoever saw a request may send it again, and it is answered again.
    Off,
}

impl Default for SignatureWindow {
    fn default() -> Self {
        Self::Seconds(DEFAULT_WINDOW)
    }
}

/// The setting as the configuration file has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenWindow {
    Seconds(u64),
    Word(String),
}

/// The setting is neither a number of seconds in range nor the word `off`.
#[derive(Debug, thiserror::Error)]
#[error("not between 1 and {LONGEST_WINDOW} seconds; write \"off\" to accept requests of any age")]
pub struct SignatureWindowError;

impl TryFrom<WrittenWindow> for SignatureWindow {
    type Error = SignatureWindowError;

    fn try_from(written: WrittenWindow) -> Result<Self, Self::Error> {
        match written {
            WrittenWindow::Seconds(seconds @ 1..=LONGEST_WINDOW) => Ok(Self::Seconds(seconds)),
            WrittenWindow::Word(word) if word == "off" => Ok(Self::Off),
            WrittenWindow::Seconds(_) | WrittenWindow::Word(_) => Err(SignatureWindowError),
        }
    }
}

/// Why a correct signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FreshnessError {
    /// The request was signed too long ago, or in the future.
    #[error(
        "the request was signed {age} s ago, and {window} s either way are allowed (webhook.signature_window_secs); is the clock of this machine right?"
    )]
    Stale {
        /// Age in seconds; negative if the request was signed in the future.
        age: i128,
        /// The allowed difference in seconds.
        window: u64,
    },
    /// The signed timestamp is not a number.
    #[error(
        "X-Lark-Request-Timestamp is not a number of seconds, so the age of the request is unknown"
    )]
    NoTime,
}

impl SignatureWindow {
    /// Checks the signed `X-Lark-Request-Timestamp`, and returns it. `None` if requests of any age are accepted.
    pub(super) fn check(
        self,
        timestamp: &str,
        now: UnixSeconds,
    ) -> Result<Option<UnixSeconds>, FreshnessError> {
        let Self::Seconds(window) = self else { return Ok(None) };
        let signed = seconds(timestamp).ok_or(FreshnessError::NoTime)?;
        let age = i128::from(now.0) - i128::from(signed);
        if age.unsigned_abs() <= u128::from(window) {
            Ok(Some(UnixSeconds(signed)))
        } else {
            Err(FreshnessError::Stale { age, window })
        }
    }
}

/// Reads a timestamp as seconds. The platform writes times in seconds (10 digits), milliseconds (13) and microseconds (16),
/// depending on the field.
fn seconds(text: &str) -> Option<u64> {
    let number: u64 = text.trim().parse().ok()?;
    Some(match text.trim().len() {
        0..=11 => number,
        12..=14 => number / 1000,
        _ => number / 1_000_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_732_699_047);

    #[test]
    fn a_signature_counts_within_the_window_and_not_outside() {
        let window = SignatureWindow::default();
        for near in ["1732699047", "1732698747", "1732699347", "1732699047123", "1732699047123456"]
        {
            let signed = window.check(near, NOW).unwrap().unwrap();
            assert!(signed.0.abs_diff(NOW.0) <= 300, "{near}");
        }
        let stale = |age| Err(FreshnessError::Stale { age, window: 300 });
        assert_eq!(window.check("1732698746", NOW), stale(301));
        assert_eq!(window.check("1732699348", NOW), stale(-301));
        assert_eq!(window.check("0", NOW), stale(1_732_699_047));
        for none in ["", "now", "-5", "99999999999999999999999"] {
            assert_eq!(window.check(none, NOW), Err(FreshnessError::NoTime), "{none}");
        }
        assert_eq!(SignatureWindow::Off.check("whenever", NOW), Ok(None));
    }

    #[test]
    fn only_a_sensible_number_or_the_word_is_a_window() {
        let read = |json| serde_json::from_str::<SignatureWindow>(json).ok();
        assert_eq!(read("60"), Some(SignatureWindow::Seconds(60)));
        assert_eq!(read("\"off\""), Some(SignatureWindow::Off));
        for wrong in ["0", "86401", "-1", "\"no\"", "false", "null"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
