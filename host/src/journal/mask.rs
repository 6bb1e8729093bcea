//! What the journal does not keep: credentials, and the personal data that the operator names. A masked text is replaced by
//! letters, as many as it has bytes, and by the same letters wherever it stands in one entry: so a replay costs the same
//! fuel, and a reply that repeats a name still repeats it.
//!
//! The letters come from a key that is made anew for each entry and kept nowhere: nobody can tell who it was, or that two
//! entries are about the same person.

use std::borrow::Cow;

use serde::de::IgnoredAny;

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
/// Text inside text inside text: cards in messages in callbacks. What lies deeper is not looked into.
const DEEPEST: usize = 4;

/// What is masked.
#[derive(Debug)]
pub(super) struct Masks {
    /// Sorted.
    names: Vec<String>,
    pointers: Vec<String>,
}

impl Masks {
    /// Credentials, and these: a pointer begins with a slash.
    pub(super) fn new(named: &[String]) -> Self {
        let (pointers, names): (Vec<_>, Vec<_>) =
            named.iter().cloned().partition(|named| named.starts_with('/'));
        let secrets = SECRETS.iter().map(|name| (*name).to_owned());
        let mut names: Vec<_> = secrets.chain(names).collect();
        names.sort();
        Self { names, pointers }
    }

    /// For one entry.
    pub(super) fn begin(&self, key: [u8; 32]) -> Masking<'_> {
        Masking { masks: self, key, found: Vec::new() }
    }
}

/// One entry's masking: first every part of it goes through [`callback`](Self::callback) or [`other`](Self::other), then
/// every part once more through [`everywhere`](Self::everywhere).
#[derive(Debug)]
pub(super) struct Masking<'a> {
    masks: &'a Masks,
    key: [u8; 32],
    /// A handful.
    found: Vec<(String, String)>,
}

impl Masking<'_> {
    /// That text is a secret, wherever it stands.
    pub(super) fn secret(&mut self, text: &str) {
        self.mask(text);
    }

    /// The callback, which pointers are about. It is JSON: it was read.
    pub(super) fn callback(&mut self, json: &str) -> String {
        let pointers = !self.masks.pointers.is_empty();
        self.scan(json, Pass::Find { pointers }, 0).unwrap_or_else(|| "null".to_owned())
    }

    /// Any other JSON, as the host has written it.
    pub(super) fn other(&mut self, text: &str) -> String {
        self.scan(text, Pass::Find { pointers: false }, 0).unwrap_or_else(|| "null".to_owned())
    }

    /// Masks in it whatever was masked elsewhere in the entry.
    pub(super) fn everywhere(&mut self, text: String) -> String {
        let stands = |(found, _): &(String, String)| {
            // What has no plain letters alone may be written with escapes.
            text.contains(found.as_str())
                || !found
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
        };
        if !self.found.iter().any(stands) {
            return text;
        }
        self.scan(&text, Pass::Spread, 0).unwrap_or(text)
    }

    /// Text, without what was masked elsewhere.
    pub(super) fn without(&self, text: String) -> String {
        self.spread(&text).unwrap_or(text)
    }

    /// The same; none where nothing of it was.
    fn spread(&self, text: &str) -> Option<String> {
        if let Some(letters) = self.letters_of(text) {
            return Some(letters.to_owned());
        }
        let long = self.found.iter().filter(|(found, _)| found.len() >= LEAST_EVERYWHERE);
        let mut standing: Vec<_> =
            long.filter(|(found, _)| text.contains(found.as_str())).collect();
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
    fn mask(&mut self, text: &str) -> String {
        if let Some(letters) = self.letters_of(text) {
            return letters.to_owned();
        }
        let letters = self.letters(text);
        self.found.push((text.to_owned(), letters.clone()));
        letters
    }

    fn letters(&self, text: &str) -> String {
        let mut bytes = vec![0; text.len()];
        blake3::Hasher::new_keyed(&self.key)
            .update(text.as_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect()
    }

    fn scan(&mut self, text: &str, pass: Pass, depth: usize) -> Option<String> {
        let (out, path) = (String::with_capacity(text.len()), String::new());
        let mut scan = Scan { text, at: 0, out, path, pass, depth };
        scan.value(self, false)?;
        scan.rest();
        Some(scan.out)
    }
}

/// What a look through JSON is for.
#[derive(Clone, Copy)]
enum Pass {
    /// To find what is to be masked, by names and in the callback by pointers too.
    Find { pointers: bool },
    /// To mask what was found, wherever it stands.
    Spread,
}

/// What a string with its quotes says.
fn decoded(raw: &str) -> Option<Cow<'_, str>> {
    if raw.contains('\\') {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    raw.get(1..raw.len().checked_sub(1)?).map(Cow::Borrowed)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Goes through well-formed JSON and copies it, byte for byte but for what is masked.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    out: String,
    path: String,
    pass: Pass,
    depth: usize,
}

impl<'a> Scan<'a> {
    fn value(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' => self.members(masking, masked),
            b'[' => self.items(masking, masked),
            b'"' => self.text_value(masking, masked),
            _ => {
                let rest = &self.text[self.at..];
                let end = rest
                    .find(|letter: char| {
                        matches!(letter, ',' | '}' | ']') || letter.is_whitespace()
                    })
                    .unwrap_or(rest.len());
                let raw = &rest[..end];
                self.at += end;
                if masked && raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
                    // A number of as many digits, of which the first is none that JSON forbids.
                    let digits = masking.letters(raw);
                    self.out.extend(digits.bytes().map(|byte| char::from(b'1' + byte % 9)));
                } else {
                    self.out.push_str(raw);
                }
                Some(())
            }
        }
    }

    fn text_value(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
        let raw = self.string()?;
        let decoded = decoded(raw)?;
        let replaced = if masked && !decoded.is_empty() {
            Some(masking.mask(&decoded))
        } else if let Some(inner) = self.inner(masking, &decoded) {
            Some(inner)
        } else if matches!(self.pass, Pass::Spread) {
            masking.spread(&decoded)
        } else {
            None
        };
        match replaced.filter(|replaced| *replaced != decoded) {
            Some(replaced) => self.out.push_str(&quoted(&replaced)),
            None => self.out.push_str(raw),
        }
        Some(())
    }

    /// Text that is itself JSON.
    fn inner(&self, masking: &mut Masking<'_>, decoded: &str) -> Option<String> {
        if !decoded.starts_with(['{', '[']) || self.depth == DEEPEST {
            return None;
        }
        serde_json::from_str::<IgnoredAny>(decoded).ok()?;
        let pass = match self.pass {
            Pass::Find { .. } => Pass::Find { pointers: false },
            Pass::Spread => Pass::Spread,
        };
        masking.scan(decoded, pass, self.depth + 1)
    }

    fn members(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
        self.one()?;
        self.space();
        while self.peek()? != b'}' {
            let raw = self.string()?;
            let name = decoded(raw)?;
            let is_spread = matches!(self.pass, Pass::Spread);
            match masking.letters_of(&name).filter(|_| is_spread) {
                Some(letters) => self.out.push_str(&quoted(letters)),
                None => self.out.push_str(raw),
            }
            self.space();
            self.one()?;
            let before = self.path.len();
            if matches!(self.pass, Pass::Find { pointers: true }) {
                self.path.push('/');
                self.path.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            let here = masked || self.is_named(masking, &name) || self.is_pointed_at(masking);
            self.value(masking, here)?;
            self.path.truncate(before);
            self.space();
            if self.peek()? == b',' {
                self.one()?;
                self.space();
            }
        }
        self.one()
    }

    fn items(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
        self.one()?;
        self.space();
        let mut index = 0_usize;
        while self.peek()? != b']' {
            let before = self.path.len();
            self.path.push('/');
            self.path.push_str(&index.to_string());
            let here = masked || self.is_pointed_at(masking);
            self.value(masking, here)?;
            self.path.truncate(before);
            index += 1;
            self.space();
            if self.peek()? == b',' {
                self.one()?;
                self.space();
            }
        }
        self.one()
    }

    fn is_named(&self, masking: &Masking<'_>, name: &str) -> bool {
        matches!(self.pass, Pass::Find { .. })
            && masking.masks.names.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    fn is_pointed_at(&self, masking: &Masking<'_>) -> bool {
        matches!(self.pass, Pass::Find { pointers: true })
            && masking.masks.pointers.contains(&self.path)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Copies one sign.
    fn one(&mut self) -> Option<()> {
        self.out.push(char::from(self.peek()?));
        self.at += 1;
        Some(())
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            // It is there: it was just looked at.
            let _ = self.one();
        }
    }

    fn rest(&mut self) {
        self.out.push_str(&self.text[self.at..]);
    }

    /// A string with its quotes, passed over and not copied.
    fn string(&mut self) -> Option<&'a str> {
        let from = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while *bytes.get(self.at)? != b'"' {
            self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        self.text.get(from..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(named: &[&str], json: &str) -> String {
        let masks = Masks::new(&named.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let mut masking = masks.begin([3; 32]);
        let callback = masking.callback(json);
        masking.everywhere(callback)
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
        assert!(serde_json::from_str::<IgnoredAny>(&without).is_ok(), "{without}");
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
