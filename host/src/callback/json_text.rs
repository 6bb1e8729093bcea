//! JSON as text. A value that was read and written again may differ from what came: numbers go through a 64-bit float, and what
//! no float holds is an error. So the host reads values to look at them, and passes on their text.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::de::IgnoredAny;

use crate::callback::nesting::behind_text;

/// The escape of U+FFFD, which stands for what is no character.
const REPLACEMENT: &str = "\\ufffd";

/// Replaces each half of a surrogate pair that has no other half by U+FFFD. Such a half is no character and has no UTF-8: half of
/// the parsers refuse the whole document for it. It is left where somebody cuts a text in the middle of an emoji.
pub(crate) fn mend_surrogates(json: &str) -> Cow<'_, str> {
    let mut lone = lone_surrogates(json.as_bytes()).peekable();
    if lone.peek().is_none() {
        return Cow::Borrowed(json);
    }
    let mut mended = json.to_owned();
    lone.for_each(|at| mended.replace_range(at..at + REPLACEMENT.len(), REPLACEMENT));
    Cow::Owned(mended)
}

/// Returns the indices of the escapes that are half a surrogate pair.
fn lone_surrogates(json: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + memchr::memchr(b'\\', json.get(from..)?)?;
            let Some(unit) = escaped_unit(json, at) else {
                from = at + 2;
                continue;
            };
            from = at + REPLACEMENT.len();
            let is_high = matches!(unit, 0xd800..=0xdbff);
            if is_high && matches!(escaped_unit(json, from), Some(0xdc00..=0xdfff)) {
                from += REPLACEMENT.len();
            } else if matches!(unit, 0xd800..=0xdfff) {
                return Some(at);
            }
        }
    })
}

/// Reads an escape of four hex digits, which is one unit of UTF-16.
fn escaped_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + REPLACEMENT.len())?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Reads JSON to look at it. A number that is too large for a 64-bit float is read as its text, and is no error.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    serde_json::from_str(json).or_else(|error| {
        // This parser checks the form of numbers and not their size.
        if serde_json::from_str::<IgnoredAny>(json).is_err() {
            return Err(error);
        }
        let readable = rewritten(json, |number, into| {
            if number.parse::<f64>().is_ok_and(f64::is_finite) {
                into.push_str(number);
            } else {
                into.extend(["\"", number, "\""]);
            }
        });
        serde_json::from_str(&readable).map_err(|_| error)
    })
}

/// Writes valid JSON as short as it can be: without white space and without needless escapes. Numbers stay as they are.
pub(super) fn compact(json: &str) -> String {
    rewritten(json, |number, into| into.push_str(number))
}

/// Writes valid JSON again, with the given function for numbers.
fn rewritten(json: &str, mut write_number: impl FnMut(&str, &mut String)) -> String {
    let mut into = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => behind_text(rest.as_bytes(), 1),
            '-' | '0'..='9' => rest.find(|next| !is_in_number(next)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        match first {
            '"' => write_text(token, &mut into),
            '-' | '0'..='9' => write_number(token, &mut into),
            ' ' | '\t' | '\r' | '\n' => {}
            _ => into.push(first),
        }
        rest = behind;
    }
    into
}

fn is_in_number(character: char) -> bool {
    matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')
}

fn write_text(token: &str, into: &mut String) {
    if !token.contains('\\') {
        return into.push_str(token);
    }
    match serde_json::from_str::<String>(token) {
        Ok(text) => into.push_str(&serde_json::Value::from(text).to_string()),
        // Only half a surrogate pair, and its escape is its only form.
        Err(_) => into.push_str(token),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    #[test]
    fn half_a_pair_becomes_a_replacement_character() {
        for (json, mended) in [
            (r#"{"a":"cut \ud83d"}"#, r#"{"a":"cut \ufffd"}"#),
            (r#"{"\uDE00":"\ude00\ud83d x"}"#, r#"{"\ufffd":"\ufffd\ufffd x"}"#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
        ] {
            assert_eq!(mend_surrogates(json), mended);
            assert!(serde_json::from_str::<Value>(mended).is_ok(), "{mended}");
        }
    }

    #[test]
    fn whole_characters_and_escaped_escapes_are_not_touched() {
        for json in [
            r#""\ud83d\ude00""#,
            r#""\\ud83d""#,
            r#""\\\\ud83d \u4f60 \"\\""#,
            "{}",
            "",
            "\\",
            "\\u",
            r"\ud8",
            r"x\ud83",
        ] {
            assert!(matches!(mend_surrogates(json), Cow::Borrowed(_)), "{json}");
        }
    }

    #[test]
    fn a_number_that_no_float_holds_is_read_as_its_text() {
        assert_eq!(
            read::<Value>("[1e400, -1E+999,1.5]").unwrap(),
            json!(["1e400", "-1E+999", 1.5])
        );
        assert_eq!(read::<Value>(r#"{"1e400":"1e400"}"#).unwrap(), json!({ "1e400": "1e400" }));
        for wrong in ["1 2", "[1e400 2]", "1.e400", "[1e400", "{\"a\":1e400 \"b\":2}", "", "x"] {
            assert!(read::<Value>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written_as_they_came() {
        let json = "{ \"a\" : [ 1e400 , 5e36, 18446744073709551616,\n0.10000000000000001, 1.0, -0 ],\t\"b\": true, \"é\":null }";
        let short = r#"{"a":[1e400,5e36,18446744073709551616,0.10000000000000001,1.0,-0],"b":true,"é":null}"#;
        assert_eq!(compact(json), short);
        assert_eq!(compact(short), short);
        assert_eq!(
            compact(r#"["\u4f60 1", "\"\\ 2 ", "\u0001", " "]"#),
            r#"["你 1","\"\\ 2 ","\u0001"," "]"#
        );
    }
}
