//! Masks what the journal must not keep: credentials, and the personal data that the operator names. A masked text is replaced
//! by as many letters as it has bytes, and by the same letters wherever it occurs in one entry. So a replay costs the same
//! fuel, and a reply that repeats a name still repeats it.
//!
//! The letters are drawn anew for each entry, and reveal nothing of a text but its length: nobody can tell which person it
//! named, or that two entries are about the same person.

mod found;
mod scan;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use crate::journal::mask::found::Found;
use crate::journal::mask::scan::MaskPass;
use crate::journal::mask::scan::scan;
use crate::secret::in_text;
use crate::secret::names::Names;

/// The names and places whose values are masked.
#[derive(Debug)]
pub(super) struct Masks {
    names: Names,
    pointers: Vec<String>,
}

impl Masks {
    /// Masks credentials and the `named` values. A name that begins with a slash is a JSON pointer.
    pub(super) fn new(named: &[String]) -> Self {
        let (pointers, names): (Vec<_>, Vec<_>) =
            named.iter().cloned().partition(|named| named.starts_with('/'));
        Self { names: Names::with(&names), pointers }
    }

    /// Starts the masking of one entry.
    pub(super) fn begin(&self) -> Masking<'_> {
        Masking { masks: self, texts: Found::default(), numbers: Found::default() }
    }
}

/// Returns the JSON of a host call for display, with credentials masked.
pub fn without_credentials(asked: &Value) -> String {
    let masks = Masks::new(&[]);
    masks.begin().exchanged(&asked.to_string()).map_or_else(String::new, Cow::into_owned)
}

fn letters(length: usize) -> String {
    drawn(length, b'a', 26)
}

/// Draws digits from 1 to 9, because a number may not begin with 0.
fn digits(length: usize) -> String {
    drawn(length, b'1', 9)
}

/// Draws `length` of the `count` ASCII signs from `first` on. Filling all bytes at once takes a tenth of drawing them one by
/// one.
fn drawn(length: usize, first: u8, count: u8) -> String {
    let mut bytes = vec![0; length];
    fastrand::fill(&mut bytes);
    let sign = |byte: u8| first + ((u16::from(byte) * u16::from(count)) >> u8::BITS) as u8;
    bytes.iter_mut().for_each(|byte| *byte = sign(*byte));
    String::from_utf8(bytes).unwrap_or_default()
}

/// The masking of one entry. First every part of the entry goes through a function that finds what to mask, then every part
/// goes through [`everywhere`](Self::everywhere).
pub(super) struct Masking<'a> {
    masks: &'a Masks,
    texts: Found,
    /// Values that occurred as JSON numbers.
    numbers: Found,
}

impl Masking<'_> {
    /// Marks a text as a secret, wherever it occurs.
    pub(super) fn secret(&mut self, text: &str) {
        self.mask(text);
    }

    /// Finds and masks values in the callback, to which the pointers apply. Returns `None` if the callback turns out not to be
    /// JSON.
    pub(super) fn callback<'t>(&mut self, json: &'t str) -> Option<Cow<'t, str>> {
        let has_pointers = !self.masks.pointers.is_empty();
        scan(self, json, if has_pointers { MaskPass::FindPointers } else { MaskPass::Find }, 0)
    }

    /// Finds and masks values in other JSON, which the host has written.
    pub(super) fn other<'t>(&mut self, json: &'t str) -> Option<Cow<'t, str>> {
        scan(self, json, MaskPass::Find, 0)
    }

    /// Finds and masks values in the JSON of a request to another server or its response: texts of any form, headers in pairs.
    pub(super) fn exchanged<'t>(&mut self, json: &'t str) -> Option<Cow<'t, str>> {
        scan(self, json, MaskPass::FindClosely, 0)
    }

    /// Finds and masks credentials in text that is not JSON.
    pub(super) fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        self.found_in_text(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Masks every occurrence of a text that was found anywhere in the entry.
    pub(super) fn everywhere<'t>(&mut self, json: Cow<'t, str>) -> Cow<'t, str> {
        if !self.texts.may_stand_in(&json) {
            return json;
        }
        match scan(self, &json, MaskPass::Spread, 0) {
            Some(Cow::Owned(spread)) => Cow::Owned(spread),
            Some(Cow::Borrowed(_)) | None => json,
        }
    }

    /// Masks every occurrence of a found text in plain text.
    pub(super) fn without<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.texts.replaced(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Returns the stand-ins, letters and digits, that occur in one of these texts.
    pub(super) fn stand_ins(&self, masked: &[&str]) -> Vec<String> {
        let mut stand_ins = self.texts.instead_in(masked);
        stand_ins.extend(self.numbers.instead_in(masked));
        stand_ins
    }

    /// Returns the text with these parts masked.
    fn mask_in(&mut self, text: &str, parts: &[Range<usize>]) -> String {
        let (mut masked, mut copied) = (String::with_capacity(text.len()), 0);
        for part in parts {
            let before = &text[copied..part.start];
            masked.push_str(before);
            let credential = &text[part.clone()];
            masked.push_str(self.mask(credential));
            if before.to_ascii_lowercase().ends_with("basic ")
                && let Some(password) = in_text::basic_password(credential)
            {
                self.mask(&password);
            }
            copied = part.end;
        }
        masked.push_str(&text[copied..]);
        masked
    }

    /// Masks the credentials in text that is not JSON. Returns `None` if there are none.
    fn found_in_text(&mut self, text: &str) -> Option<String> {
        let found = in_text::find(text, &self.masks.names);
        (!found.is_empty()).then(|| self.mask_in(text, &found))
    }

    /// Remembers a masked text in each form in which it may occur, and returns its letters.
    fn mask(&mut self, text: &str) -> &str {
        if self.texts.instead_of(text).is_none() {
            for form in in_text::other_forms(text) {
                self.texts.instead_or(&form, || letters(form.len()));
            }
        }
        self.texts.instead_or(text, || letters(text.len()))
    }

    /// Remembers a masked number, and returns its digits.
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
        let json = r#"{"file_token":"stays","token" : "goes-1","list":[{"secret":["goes-2",{"a":"goes-3"}],"x":"token"}],"#;
        for last in [r#""last":"plain"}"#, r#""last":"\u0070lain"}"#] {
            let without = masked(&[], &format!("{json}{last}"));
            assert!(!without.contains("goes"), "{without}");
            assert!(without.contains(r#"{"file_token":"stays","token" : ""#), "{without}");
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

    #[test]
    fn a_credential_is_masked_wherever_a_name_may_stand() {
        for json in [
            r#"{"accessToken":"goes-1"}"#,
            r#"{"headers":[["Authorization","Bearer goes-1"],["accept","*/*"]]}"#,
            r#"{"headers":[["set-cookie","sid=goes-1; Path=/"]]}"#,
            r#"{"url":"https://a.example/?page=1&access_token=goes-1#id_token=goes-2"}"#,
            r#"{"url":"https://ann:goes-1@a.example/"}"#,
            r#"{"body":"grant_type=password&password=goes-1"}"#,
            r#"{"body":"{\"api_key\":\"goes-1\"}"}"#,
            r#"{"text":"say Bearer goes-1-goes-2 to it"}"#,
            r#"{"text":"password: goes-1"}"#,
            r#"{"query":[["code","goes-1"]]}"#,
            r#"{"a":"{\"b\":\"https://a.example/?token=goes-1\"}"}"#,
            r#"{"a":"x\u003fpassword\u003dgoes-1"}"#,
            r#"{"half":"\ud800","password":"goes-1"}"#,
        ] {
            let masks = Masks::new(&[]);
            for scanned in [masks.begin().callback(json), masks.begin().exchanged(json)] {
                let without = scanned.unwrap();
                assert!(!without.contains("goes"), "{without}");
                assert!(
                    serde_json::from_str::<serde::de::IgnoredAny>(&without).is_ok(),
                    "{without}"
                );
            }
            let pointed =
                Masks::new(&["/none".to_owned()]).begin().callback(json).unwrap().into_owned();
            assert!(!pointed.contains("goes"), "{pointed}");
        }
    }

    #[test]
    fn a_credential_is_masked_with_and_without_escapes() {
        let json = r#"{"password":"hunter/2+","url":"https://a.example/hunter%2F2%2B","said":"hunter/2+"}"#;
        let without = masked(&[], json);
        assert!(!without.contains("hunter") && without.len() == json.len(), "{without}");
    }

    #[test]
    fn what_was_masked_is_masked_again_where_text_is_cut_in_two() {
        let masks = Masks::new(&[]);
        let mut masking = masks.begin();
        let callback =
            masking.callback(r#"{"token":"c-12345678","a":"x password: goes-1"}"#).unwrap();
        assert!(!callback.contains("goes") && !callback.contains("12345678"), "{callback}");
    }

    /// A stranger's message may be nested as deep as it is long.
    #[test]
    fn no_depth_overflows_the_stack() {
        for (open, close) in
            [("[", "]"), (r#"{"token":"#, "}"), (r#"{"a":["#, "]}"), (r#"["token",["#, "]]")]
        {
            let deep = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
            let text = serde_json::json!({ "message": { "content": deep } }).to_string();
            for json in [&deep, &text] {
                for named in [&[][..], &["/a/0".to_owned()], &["/message/content".to_owned()]] {
                    let masks = Masks::new(named);
                    let mut masking = masks.begin();
                    masking.secret("longer than four");
                    let found = masking.callback(json).unwrap();
                    masking.everywhere(found);
                    masks.begin().exchanged(json).unwrap();
                }
            }
        }
    }

    #[test]
    fn text_in_text_in_text_is_masked_whole_where_nobody_looks_any_more() {
        let mut json = r#"{"password":"hunter22"}"#.to_owned();
        for _ in 0..8 {
            json = serde_json::json!({ "a": json }).to_string();
        }
        let without = masked(&[], &json);
        assert!(!without.contains("hunter22"));
    }
}
