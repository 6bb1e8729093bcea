//! The platform's error codes: what each means and what to do about it, in English and Chinese. The table is data,
//! `platform_code/codes.toml`.

use serde::Deserialize;
use serde::Serialize;

const CODES: &str = include_str!("platform_code/codes.toml");

/// An error code of the platform.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformCode {
    /// The number, for example 200341.
    pub code: i64,
    /// Area in which it occurs: a user's client, an API, the long connection.
    pub area: String,
    /// Explanation in English, for people.
    pub en: Explanation,
    /// Explanation in Chinese, for people.
    pub zh: Explanation,
}

/// Explanation of a code in one language.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// The meaning of the code.
    pub means: String,
    /// The next step, as advice.
    pub next: String,
}

#[derive(Deserialize)]
struct Table {
    code: Vec<PlatformCode>,
}

/// Returns every known code; those that a user meets come first.
///
/// # Errors
///
/// If the table that was built in is damaged, which a test rules out.
pub fn all() -> Result<Vec<PlatformCode>, toml::de::Error> {
    Ok(toml::from_str::<Table>(CODES)?.code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_is_explained_once_and_in_both_languages() {
        let codes = all().unwrap();
        let numbers: BTreeSet<_> = codes.iter().map(|code| code.code).collect();
        assert_eq!(numbers.len(), codes.len());
        for code in &codes {
            let han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            for (chinese, words) in [(false, &code.en), (true, &code.zh)] {
                assert!(words.means.len() > 5 && words.next.len() > 5, "{}", code.code);
                assert!(
                    han(&words.means) == chinese && han(&words.next) == chinese,
                    "{}",
                    code.code
                );
            }
        }
    }
}
