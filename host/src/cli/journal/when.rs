//! Ages and times, as people write and read them.

use std::num::NonZero;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::Config;
use time::format_description::well_known::iso8601::EncodedConfig;
use time::format_description::well_known::iso8601::TimePrecision;

/// Age of a callback: `90s`, `10m`, `2h`, `3d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ago(u64);

/// The text is not a duration such as `10m`.
#[derive(Debug, thiserror::Error)]
#[error("a number and one of s, m, h and d, like 10m")]
pub(super) struct NotAnAge;

impl Ago {
    pub(super) fn milliseconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Ago {
    type Err = NotAnAge;

    fn from_str(text: &str) -> Result<Self, NotAnAge> {
        let unit = text.chars().last().ok_or(NotAnAge)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(NotAnAge),
        };
        let number = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
        let milliseconds = number.and_then(|number| number.checked_mul(seconds * 1000));
        milliseconds.map(Self).ok_or(NotAnAge)
    }
}

/// ISO 8601 with milliseconds.
const TO_THE_MILLISECOND: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second { decimal_digits: NonZero::new(3) })
    .encode();

/// Milliseconds since the Unix epoch as `2026-11-20T18:04:05.006Z`, or as the number itself after the year 9999.
pub(super) fn utc(ms: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok();
    let text = time.and_then(|time| time.format(&Iso8601::<TO_THE_MILLISECOND>).ok());
    text.unwrap_or_else(|| ms.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_everybody_writes_it() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(1_795_197_845_006), "2026-11-20T18:04:05.006Z");
        assert_eq!(utc(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn an_age_has_a_unit() {
        assert_eq!("10m".parse::<Ago>().unwrap().milliseconds(), 600_000);
        for wrong in ["", "10", "m", "-1h", "1w", "99999999999999999999s"] {
            assert!(wrong.parse::<Ago>().is_err(), "{wrong}");
        }
    }
}
