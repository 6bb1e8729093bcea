//! Credentials that are recognised by the text before them or by their first letters: `Bearer`, a JSON Web Token, the address
//! of a web hook.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use aho_corasick::packed::Searcher;

use crate::secret::in_text::basic_password;

/// Least length after `Bearer`; a shorter run is a word of a sentence.
const LEAST_BEARER: usize = 6;
/// Least length of a JSON Web Token: its shortest header has twenty letters.
const LEAST_JWT: usize = 20;

/// Texts that mark a credential, whatever its name is.
const MARKS: [(&str, SecretMark); 9] = [
    ("bearer ", SecretMark::Bearer),
    ("bearer%20", SecretMark::Bearer),
    ("bearer+", SecretMark::Bearer),
    ("basic ", SecretMark::Basic),
    // `{"` in Base64: the header of a JSON Web Token.
    ("eyj", SecretMark::Jwt),
    ("-----begin ", SecretMark::PrivateKey),
    // Addresses that are credentials: whoever knows one can post there.
    ("/bot/v2/hook/", SecretMark::Path),
    ("hooks.slack.com/services/", SecretMark::Path),
    ("api.telegram.org/bot", SecretMark::Path),
];

#[derive(Clone, Copy, Debug)]
enum SecretMark {
    Bearer,
    Basic,
    Jwt,
    PrivateKey,
    Path,
}

static ALL_MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = MARKS.map(|(word, _)| word);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

/// Parts of the marks: every mark of [`MARKS`] holds one of them. They are short, because each is searched for in every spelling.
const PARTS: [&str; 9] = ["rer ", "rer%", "rer+", "sic ", "eyj", "-----", "ok/", "es/", "g/b"];

/// The parts in every spelling, searched for with vector instructions.
static PARTS_IN_ANY_CASE: LazyLock<Option<Searcher>> =
    LazyLock::new(|| Searcher::new(PARTS.iter().flat_map(|part| spellings(part))));

/// Returns the text with each of its letters in both cases.
fn spellings(text: &str) -> Vec<String> {
    text.chars().fold(vec![String::new()], |begun, letter| {
        let (lower, upper) = (letter.to_ascii_lowercase(), letter.to_ascii_uppercase());
        let both = if lower == upper { vec![lower] } else { vec![lower, upper] };
        begun
            .iter()
            .flat_map(|begun| both.iter().map(move |next| format!("{begun}{next}")))
            .collect()
    })
}

/// Returns whether that JSON may hold a mark, in whatever case. Fast; a `true` may be wrong.
pub(super) fn may_stand_in(json: &[u8]) -> bool {
    PARTS_IN_ANY_CASE.as_ref().is_none_or(|parts| parts.find(json).is_some())
}

/// Finds the credential that belongs to each mark.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let Some(marks) = &*ALL_MARKS else { return };
    let bytes = text.as_bytes();
    let run = |from: usize, is_part: fn(u8) -> bool| {
        from..from + bytes[from..].iter().take_while(|byte| is_part(**byte)).count()
    };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=%".contains(&byte);
    // A run that holds the same mark again is searched once.
    let mut looked_at = [0; MARKS.len()];
    for found_mark in marks.find_iter(text) {
        let (start, end) = (found_mark.start(), found_mark.end());
        let kind = found_mark.pattern().as_usize();
        if start < looked_at[kind] {
            continue;
        }
        let mark = MARKS[kind].1;
        let run = match mark {
            SecretMark::Bearer | SecretMark::Basic => run(end, is_token),
            SecretMark::Jwt => {
                run(start, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            }
            SecretMark::Path => {
                run(end, |byte| !byte.is_ascii_whitespace() && !b"?#\"'<>\\".contains(&byte))
            }
            SecretMark::PrivateKey => private_key(text, start).unwrap_or(end..end),
        };
        looked_at[kind] = run.end;
        let is_credential = match mark {
            SecretMark::Bearer => run.len() >= LEAST_BEARER,
            SecretMark::Basic => basic_password(&text[run.clone()]).is_some(),
            SecretMark::Jwt => is_jwt(text, &run),
            SecretMark::PrivateKey | SecretMark::Path => true,
        };
        if is_credential && !run.is_empty() {
            found.push(run);
        }
    }
}

fn is_jwt(text: &str, run: &Range<usize>) -> bool {
    let begins = run.start == 0 || !text.as_bytes()[run.start - 1].is_ascii_alphanumeric();
    let token = &text[run.clone()];
    begins
        && token.starts_with("eyJ")
        && token.len() >= LEAST_JWT
        && token.matches('.').count() >= 2
}

/// Returns the text between the first and the last line of a private key.
fn private_key(text: &str, start: usize) -> Option<Range<usize>> {
    const DASHES: &str = "-----";
    let label = start + DASHES.len();
    let from = label + text[label..].find(DASHES)? + DASHES.len();
    if !text[label..from].to_ascii_uppercase().contains("PRIVATE KEY") {
        return None;
    }
    let length = text[from..].find(DASHES).unwrap_or(text.len() - from);
    Some(from..from + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_may_stand_in_a_text_in_whatever_case_it_is_written() {
        assert!(PARTS_IN_ANY_CASE.is_some(), "too many parts for one search");
        for (mark, _) in MARKS {
            for upper in 0..1_u32 << mark.len().min(12) {
                let letters =
                    mark.char_indices().map(|(at, letter)| match upper >> at.min(31) & 1 {
                        1 => letter.to_ascii_uppercase(),
                        _ => letter,
                    });
                let text: String = letters.collect();
                assert!(may_stand_in(format!("\"a {text}b\"").as_bytes()), "{text:?}");
            }
            assert!(may_stand_in(mark.to_ascii_uppercase().as_bytes()), "{mark:?}");
        }
        assert!(!may_stand_in(b"{\"a\":\"a usual text\"}"));
    }
}
