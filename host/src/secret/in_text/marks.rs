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
const MARKS: [(&str, Mark); 9] = [
    ("bearer ", Mark::Bearer),
    ("bearer%20", Mark::Bearer),
    ("bearer+", Mark::Bearer),
    ("basic ", Mark::Basic),
    // `{"` in Base64: the header of a JSON Web Token.
    ("eyj", Mark::Jwt),
    ("-----begin ", Mark::PrivateKey),
    // Addresses that are credentials: whoever knows one can post there.
    ("/bot/v2/hook/", Mark::Path),
    ("hooks.slack.com/services/", Mark::Path),
    ("api.telegram.org/bot", Mark::Path),
];

#[derive(Clone, Copy, Debug)]
enum Mark {
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

/// A part of each mark in its usual spelling, searched for with vector instructions.
static USUAL_MARKS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    Searcher::new([
        "earer ",
        "earer%",
        "earer+",
        "EARER ",
        "asic ",
        "ASIC ",
        "eyJ",
        "-----B",
        "/hook/",
        "/services/",
        "org/bot",
    ])
});

/// Returns whether that JSON may hold a mark in its usual spelling.
pub(super) fn may_stand_in(json: &[u8]) -> bool {
    USUAL_MARKS.as_ref().is_none_or(|marks| marks.find(json).is_some())
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
            Mark::Bearer | Mark::Basic => run(end, is_token),
            Mark::Jwt => run(start, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
            Mark::Path => {
                run(end, |byte| !byte.is_ascii_whitespace() && !b"?#\"'<>\\".contains(&byte))
            }
            Mark::PrivateKey => private_key(text, start).unwrap_or(end..end),
        };
        looked_at[kind] = run.end;
        let is_credential = match mark {
            Mark::Bearer => run.len() >= LEAST_BEARER,
            Mark::Basic => basic_password(&text[run.clone()]).is_some(),
            Mark::Jwt => is_jwt(text, &run),
            Mark::PrivateKey | Mark::Path => true,
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
