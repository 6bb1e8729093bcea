//! How old a signed request may be. What time it is, the door says: nothing in here has a clock.

use serde::Deserialize;

/// Seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixSeconds(pub u64);

/// The longest window: who needs more than a day wants `"off"`.
const LONGEST_WINDOW: u64 = 86_400;
/// Longer than any delay on the way and any clock that is set by the network, as the platform's own advice has it.
const DEFAULT_WINDOW: u64 = 300;

/// How far the time of a signature may be from now, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum SignatureWindow {
    /// That many seconds; a signature is accepted once within it.
    Seconds(u64),
    /// Any: whoever once saw a request may send it again, and it is answered again.
    Off,
}

impl Default for SignatureWindow {
    fn default() -> Self {
        Self::Seconds(DEFAULT_WINDOW)
    }
}

/// As it stands in the configuration.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Seconds(u64),
    Word(String),
}

/// Neither a number nor the word.
#[derive(Debug, thiserror::Error)]
#[error("not between 1 and {LONGEST_WINDOW} seconds; write \"off\" to accept requests of any age")]
pub struct SignatureWindowError;

impl TryFrom<Written> for SignatureWindow {
    type Error = SignatureWindowError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Seconds(seconds @ 1..=LONGEST_WINDOW) => Ok(Self::Seconds(seconds)),
            Written::Word(word) if word == "off" => Ok(Self::Off),
            Written::Seconds(_) | Written::Word(_) => Err(SignatureWindowError),
        }
    }
}

/// Why a signature that is right does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FreshnessError {
    /// Signed too long ago, or in the future.
    #[error(
        "the request was signed {age} s ago, and {window} s either way are allowed (webhook.signature_window_secs); is the clock of this machine right?"
    )]
    Stale {
        /// Negative: in the future.
        age: i128,
        /// What is allowed.
        window: u64,
    },
    /// The signed time is no time.
    #[error(
        "X-Lark-Request-Timestamp is no number of seconds, so nobody can tell how old the request is"
    )]
    NoTime,
}

impl SignatureWindow {
    /// Checks the signed `X-Lark-Request-Timestamp`, and reads it. None where no time is looked at.
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

/// The platform writes times in seconds (10 digits), milliseconds (13) and microseconds (16), depending on the field.
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
