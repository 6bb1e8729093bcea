//! What the journal does not keep: credentials, and the personal data that the operator names. A masked text is replaced by
//! letters, as many as it has bytes, and by the same letters wherever it stands in one entry: so a replay costs the same
//! fuel, and a reply that repeats a name still repeats it.
//!
//! The letters are drawn for each entry anew and their origin is kept nowhere: nobody can tell who it was, or that two
//! entries are about the same person.

mod scan;

use std::borrow::Cow;

use crate::journal::mask::scan::Pass;
use crate::journal::mask::scan::scan;

/// Members that hold credentials wherever they stand: the platform's, and what plugins are likely to call theirs.
const SECRETS: [&str; 16] = [
    "token",
    "access_token",
    "tenant_access_token",
    "app_access_token",
    "user_access_token",
    "refresh_token",
    "preview_token",
    "verification_token",
    "app_secret",
    "client_secret",
    "secret",
    "password",
    "encrypt_key",
    "app_ticket",
    "ticket",
    crate::callback::seal::MEMBER,
];
/// Shorter texts are masked where they stand and where they stand alone, and not wherever else the same letters occur.
const LEAST_EVERYWHERE: usize = 4;

/// What is masked.
#[derive(Debug)]
pub(super) struct Masks {
    /// In the order of [`rank`].
    names: Vec<String>,
    /// For each length, the first letters of those that have it: most members are none of them, which costs one look.
    first_letters: [u32; LENGTHS],
    pointers: Vec<String>,
}

/// Lengths that are told apart. No sensible name is longer, and those that are share the last one.
const LENGTHS: usize = 64;

fn length(name: &str) -> usize {
    name.len().min(LENGTHS - 1)
}

/// A bit for it, which upper and lower case share.
fn first_letter(name: &str) -> u32 {
    name.bytes().next().map_or(0, |letter| 1 << (letter & 31))
}

/// Lengths differ in most names, and are compared at once.
fn rank(name: &str) -> (usize, &str) {
    (name.len(), name)
}

impl Masks {
    /// Credentials, and these: a pointer begins with a slash.
    pub(super) fn new(named: &[String]) -> Self {
        let (pointers, names): (Vec<_>, Vec<_>) =
            named.iter().cloned().partition(|named| named.starts_with('/'));
        let secrets = SECRETS.iter().map(|name| (*name).to_owned());
        let mut names: Vec<_> = secrets.chain(names).collect();
        names.sort_by(|one, other| rank(one).cmp(&rank(other)));
        let mut first_letters = [0; LENGTHS];
        names.iter().for_each(|name| first_letters[length(name)] |= first_letter(name));
        Self { names, first_letters, pointers }
    }

    /// For one entry.
    pub(super) fn begin<'a>(&'a self, letters: &'a mut Letters) -> Masking<'a> {
        Masking { masks: self, letters, found: Vec::new(), numbers: Vec::new() }
    }

    fn names(&self, name: &str) -> bool {
        let maybe = self.first_letters[length(name)] & first_letter(name) != 0;
        maybe && self.names.binary_search_by(|known| rank(known).cmp(&rank(name))).is_ok()
    }
}

/// Letters that nobody can guess, without an end.
pub(super) struct Letters {
    stream: blake3::OutputReader,
    /// Drawn at once, which costs a tenth of drawing them one text after the other.
    drawn: [u8; 1024],
    used: usize,
}

impl Letters {
    /// All that come from this seed, which is forgotten.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let stream = blake3::Hasher::new_keyed(&seed).finalize_xof();
        let drawn = [0; 1024];
        Self { stream, used: drawn.len(), drawn }
    }

    fn next(&mut self) -> u8 {
        if self.used == self.drawn.len() {
            self.stream.fill(&mut self.drawn);
            self.used = 0;
        }
        self.used += 1;
        self.drawn[self.used - 1]
    }

    fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        (0..length).for_each(|_| text.push(char::from(b'a' + self.next() % 26)));
        text
    }

    /// Digits, of which none is one with which a number may not begin.
    fn number(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b'1' + self.next() % 9)).collect()
    }
}

/// One entry's masking: first every part of it goes through [`callback`](Self::callback) or [`other`](Self::other), then
/// every part once more through [`everywhere`](Self::everywhere).
pub(super) struct Masking<'a> {
    masks: &'a Masks,
    letters: &'a mut Letters,
    /// A handful.
    found: Vec<(String, String)>,
    /// What stood as a number: fewer still.
    numbers: Vec<(String, String)>,
}

impl Masking<'_> {
    /// That text is a secret, wherever it stands.
    pub(super) fn secret(&mut self, text: &str) {
        self.mask(text);
    }

    /// The callback, which pointers are about. It is JSON: it was read. None where that turns out to be wrong.
    pub(super) fn callback<'t>(&mut self, json: &'t str) -> Option<Cow<'t, str>> {
        let pointers = !self.masks.pointers.is_empty();
        scan(self, json, Pass::Find { pointers }, 0)
    }

    /// Any other JSON, as the host has written it.
    pub(super) fn other<'t>(&mut self, text: &'t str) -> Option<Cow<'t, str>> {
        scan(self, text, Pass::Find { pointers: false }, 0)
    }

    /// Masks in it whatever was masked elsewhere in the entry.
    pub(super) fn everywhere<'t>(&mut self, text: Cow<'t, str>) -> Cow<'t, str> {
        let stands = |(found, _): &(String, String)| {
            // What has no plain letters alone may be written with escapes.
            stands_in(found, &text)
                || !found
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
        };
        if !self.found.iter().any(stands) {
            return text;
        }
        match scan(self, &text, Pass::Spread, 0) {
            Some(Cow::Owned(spread)) => Cow::Owned(spread),
            Some(Cow::Borrowed(_)) | None => text,
        }
    }

    /// Text, without what was masked elsewhere.
    pub(super) fn without<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.spread(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// The same; none where nothing of it was.
    fn spread(&self, text: &str) -> Option<String> {
        if let Some(letters) = self.letters_of(text) {
            return Some(letters.to_owned());
        }
        let long = self.found.iter().filter(|(found, _)| found.len() >= LEAST_EVERYWHERE);
        let mut standing: Vec<_> = long.filter(|(found, _)| stands_in(found, text)).collect();
        if standing.is_empty() {
            return None;
        }
        // One may stand inside another.
        standing.sort_by_key(|(found, _)| std::cmp::Reverse(found.len()));
        let replace = |text: String, (found, letters): &&(String, String)| {
            text.replace(found.as_str(), letters)
        };
        Some(standing.iter().fold(text.to_owned(), replace))
    }

    fn letters_of(&self, text: &str) -> Option<&str> {
        self.found.iter().find(|(found, _)| found == text).map(|(_, letters)| letters.as_str())
    }

    /// Remembers that it is masked.
    fn mask(&mut self, text: &str) -> &str {
        let known = self.found.iter().position(|(found, _)| found == text);
        let at = known.unwrap_or_else(|| {
            self.found.push((text.to_owned(), self.letters.text(text.len())));
            self.found.len() - 1
        });
        &self.found[at].1
    }

    /// The same for what stands as a number.
    fn mask_number(&mut self, number: &str) -> String {
        if let Some((_, digits)) = self.numbers.iter().find(|(found, _)| found == number) {
            return digits.clone();
        }
        let digits = self.letters.number(number.len());
        self.numbers.push((number.to_owned(), digits.clone()));
        digits
    }
}

/// Whether a text stands in another. The standard library looks for what is this short many bytes at a time, so the beginning
/// of a longer one is looked for first: mostly it is nowhere.
fn stands_in(found: &str, text: &str) -> bool {
    const SHORT: usize = 32;
    found.get(..SHORT).is_none_or(|beginning| text.contains(beginning)) && text.contains(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(named: &[&str], json: &str) -> String {
        let masks = Masks::new(&named.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let mut letters = Letters::new([3; 32]);
        let mut masking = masks.begin(&mut letters);
        let callback = masking.callback(json).unwrap();
        masking.everywhere(callback).into_owned()
    }

    #[test]
    fn what_is_not_masked_stays_byte_for_byte() {
        let json = " { \"a\" : [ 1 , {\"b\":\"\\u4f60 \\\" x\"} , true,null ] }\n";
        assert_eq!(masked(&[], json), json);
    }

    #[test]
    fn a_secret_is_as_long_as_it_was_and_gone_everywhere() {
        let json = r#"{"event":{"token":"c-12345678"},"said":"use c-12345678 twice"}"#;
        let without = masked(&[], json);
        assert!(!without.contains("12345678") && without.len() == json.len(), "{without}");
        let value: serde_json::Value = serde_json::from_str(&without).unwrap();
        let letters = value["event"]["token"].as_str().unwrap();
        assert_eq!(value["said"], format!("use {letters} twice"));
    }

    #[test]
    fn names_count_everywhere_and_pointers_where_they_point() {
        let json = r#"{"a":{"name":"Ann"},"b":[{"phone":13800138000},{"phone":13900139000}]}"#;
        let without = masked(&["name", "/b/0/phone"], json);
        assert!(!without.contains("Ann") && !without.contains("13800138000"), "{without}");
        assert!(without.contains("13900139000"), "{without}");
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(&without).is_ok(), "{without}");
    }

    #[test]
    fn a_name_that_only_holds_a_masked_text_stays() {
        let json = r#"{"token":"toas","toast":{"content":"a toas is no toast"}}"#;
        let without = masked(&[], json);
        let value: serde_json::Value = serde_json::from_str(&without).unwrap();
        assert!(value["toast"]["content"].is_string(), "{without}: a name is no value");
        assert!(!without.contains("toas "), "{without}");
    }

    #[test]
    fn text_that_is_json_is_looked_into() {
        let json = r#"{"message":{"content":"{\"user\":\"ou_12345\",\"text\":\"hi\"}"}}"#;
        let without = masked(&["user"], json);
        assert!(!without.contains("ou_12345") && without.contains("hi"), "{without}");
        assert_eq!(without.len(), json.len());
    }

    #[test]
    fn everything_under_a_masked_member_is_masked() {
        let json = r#"{"value":{"aviary_seal":{"mac":"abcdefgh","to":["ou_1"]}}}"#;
        let without = masked(&[], json);
        assert!(!without.contains("abcdefgh") && !without.contains("ou_1"), "{without}");
    }
}
