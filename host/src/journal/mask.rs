//! What the journal does not keep: credentials, and the personal data that the operator names. A masked text is replaced by
//! letters, as many as it has bytes, and by the same letters wherever it stands in one entry: so a replay costs the same
//! fuel, and a reply that repeats a name still repeats it.
//!
//! The letters are drawn for each entry anew, and say nothing of a text but how long it is: nobody can tell who it was, or that
//! two entries are about the same person.

mod found;
mod scan;

use std::borrow::Cow;

use aho_corasick::packed::Searcher;

use crate::journal::mask::found::Found;
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
/// What is masked.
#[derive(Debug)]
pub(super) struct Masks {
    /// In the order of [`rank`].
    names: Vec<String>,
    /// For each length, the first letters of those that have it: most members are none of them, which costs one look.
    first_letters: [u32; LENGTHS],
    /// Looks for all of them at once, in their quotes, where the processor can and they are not too many.
    quick: Option<Searcher>,
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
        let quick = Searcher::new(names.iter().map(|name| format!("\"{name}\"")));
        Self { names, first_letters, quick, pointers }
    }

    /// For one entry.
    pub(super) fn begin(&self) -> Masking<'_> {
        Masking { masks: self, texts: Found::default(), numbers: Found::default() }
    }

    fn names(&self, name: &str) -> bool {
        let maybe = self.first_letters[length(name)] & first_letter(name) != 0;
        maybe && self.names.binary_search_by(|known| rank(known).cmp(&rank(name))).is_ok()
    }
}

fn letters(length: usize) -> String {
    drawn(length, b'a', 26)
}

/// Of which none is one with which a number may not begin.
fn digits(length: usize) -> String {
    drawn(length, b'1', 9)
}

/// Out of `count` signs from `first` on, of ASCII. All at once, which takes a tenth of drawing them one by one.
fn drawn(length: usize, first: u8, count: u8) -> String {
    let mut bytes = vec![0; length];
    fastrand::fill(&mut bytes);
    let sign = |byte: u8| first + ((u16::from(byte) * u16::from(count)) >> u8::BITS) as u8;
    bytes.iter_mut().for_each(|byte| *byte = sign(*byte));
    String::from_utf8(bytes).unwrap_or_default()
}

/// One entry's masking: first every part of it goes through [`callback`](Self::callback) or [`other`](Self::other), then
/// every part once more through [`everywhere`](Self::everywhere).
pub(super) struct Masking<'a> {
    masks: &'a Masks,
    texts: Found,
    /// What stood as a number.
    numbers: Found,
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
    pub(super) fn everywhere<'t>(&mut self, json: Cow<'t, str>) -> Cow<'t, str> {
        if !self.texts.may_stand_in(&json) {
            return json;
        }
        match scan(self, &json, Pass::Spread, 0) {
            Some(Cow::Owned(spread)) => Cow::Owned(spread),
            Some(Cow::Borrowed(_)) | None => json,
        }
    }

    /// Text, without what was masked elsewhere.
    pub(super) fn without<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.texts.replaced(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Remembers that it is masked.
    fn mask(&mut self, text: &str) -> &str {
        self.texts.instead_or(text, || letters(text.len()))
    }

    /// The same for what stands as a number.
    fn mask_number(&mut self, number: &str) -> &str {
        self.numbers.instead_or(number, || digits(number.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(named: &[&str], json: &str) -> String {
        let masks = Masks::new(&named.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let mut masking = masks.begin();
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
    fn an_escape_anywhere_makes_no_difference() {
        let json = r#"{"open_token":"stays","token" : "goes-1","list":[{"secret":["goes-2",{"a":"goes-3"}],"x":"token"}],"#;
        for last in [r#""last":"plain"}"#, r#""last":"\u0070lain"}"#] {
            let without = masked(&[], &format!("{json}{last}"));
            assert!(!without.contains("goes"), "{without}");
            assert!(without.contains(r#"{"open_token":"stays","token" : ""#), "{without}");
            assert!(without.ends_with(&format!(r#","x":"token"}}],{last}"#)), "{without}");
        }
        assert!(!masked(&[], r#"{"tok\u0065n":"goes"}"#).contains("goes"));
    }

    #[test]
    fn many_are_masked_like_a_few() {
        let people: Vec<_> = (0..2000).map(|number| format!("ou_{number:06}")).collect();
        let phones: Vec<_> = (0..2000).collect();
        let said = people.iter().map(|person| format!("hello {person}")).collect::<Vec<_>>();
        let json = serde_json::json!({ "people": people, "phones": phones, "said": said });
        let without = masked(&["people", "phones"], &json.to_string());
        assert!(!without.contains("ou_"), "{without}");
        let value: serde_json::Value = serde_json::from_str(&without).unwrap();
        for (person, said) in
            value["people"].as_array().unwrap().iter().zip(value["said"].as_array().unwrap())
        {
            assert_eq!(said.as_str().unwrap(), format!("hello {}", person.as_str().unwrap()));
        }
        assert_ne!(value["phones"], json["phones"]);
    }

    #[test]
    fn everything_under_a_masked_member_is_masked() {
        let json = r#"{"value":{"aviary_seal":{"mac":"abcdefgh","to":["ou_1"]}}}"#;
        let without = masked(&[], json);
        assert!(!without.contains("abcdefgh") && !without.contains("ou_1"), "{without}");
    }
}
