//! Times as people write and read them.

use std::str::FromStr;

/// How long ago: `90s`, `10m`, `2h`, `3d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ago(u64);

/// It is none.
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

/// `2026-11-20T18:04:05.006Z`, from milliseconds since the Unix epoch.
pub(super) fn utc(ms: u64) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let (days, ms) = (ms / DAY, ms % DAY);
    let (year, month, day) = date(days);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Of the Gregorian calendar, from days since 1970-01-01: eras of 400 years, each beginning on the first of March.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, years) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + years, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_everybody_writes_it() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(1_795_197_845_006), "2026-11-20T18:04:05.006Z");
    }

    #[test]
    fn an_age_has_a_unit() {
        assert_eq!("10m".parse::<Ago>().unwrap().milliseconds(), 600_000);
        for wrong in ["", "10", "m", "-1h", "1w", "99999999999999999999s"] {
            assert!(wrong.parse::<Ago>().is_err(), "{wrong}");
        }
    }
}
