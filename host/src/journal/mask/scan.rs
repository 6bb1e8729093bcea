//! A look through JSON for what is to be masked. What is not is neither copied nor looked at twice: every callback that is
//! written down goes through here.

use std::borrow::Cow;

use aho_corasick::packed::Searcher;
use memchr::memchr;
use memchr::memchr2;
use serde::de::IgnoredAny;

use crate::journal::mask::Masking;

/// Text inside text inside text: cards in messages in callbacks. What lies deeper is not looked into.
const DEEPEST: usize = 4;

/// What a look through JSON is for.
#[derive(Clone, Copy)]
pub(super) enum Pass {
    /// To find what is to be masked, by names and in the callback by pointers too.
    Find { pointers: bool },
    /// To mask what was found, wherever it stands.
    Spread,
}

/// Masks what that look is for; none if it is no JSON.
pub(super) fn scan<'t>(
    masking: &mut Masking<'_>,
    text: &'t str,
    pass: Pass,
    depth: usize,
) -> Option<Cow<'t, str>> {
    let (out, path) = (String::new(), String::new());
    let mut scan = Scan { text, at: 0, copied: 0, out, path, pass, depth };
    let masks = masking.masks;
    match (pass, &masks.quick) {
        (Pass::Find { pointers: false }, Some(quick))
            if memchr(b'\\', text.as_bytes()).is_none() =>
        {
            scan.names(masking, quick)?;
        }
        (Pass::Find { pointers: false }, _) => scan.strings(masking)?,
        (Pass::Find { pointers: true } | Pass::Spread, _) => scan.value(masking, false)?,
    }
    Some(scan.finish())
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A string, where it stands.
#[derive(Clone, Copy)]
struct Quoted<'a> {
    /// With its quotes.
    raw: &'a str,
    from: usize,
    has_escapes: bool,
}

impl<'a> Quoted<'a> {
    /// What it says.
    fn decoded(self) -> Option<Cow<'a, str>> {
        if self.has_escapes {
            return serde_json::from_str(self.raw).ok().map(Cow::Owned);
        }
        self.raw.get(1..self.raw.len() - 1).map(Cow::Borrowed)
    }
}

/// Goes through JSON, and makes a copy of it only where something is masked.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// So far, `out` has what stands there.
    copied: usize,
    out: String,
    path: String,
    pass: Pass,
    depth: usize,
}

impl<'a> Scan<'a> {
    /// From one masked name to the next. For text without escapes: each of its quotes begins or ends a string, and inside
    /// of a string there is no other text that is JSON and has names.
    fn names(&mut self, masking: &mut Masking<'_>, quick: &Searcher) -> Option<()> {
        let bytes = self.text.as_bytes();
        while let Some(name) = quick.find_in(bytes, (self.at..bytes.len()).into()) {
            self.at = name.end();
            self.space();
            if self.peek() == Some(b':') {
                self.at += 1;
                self.value(masking, true)?;
            } else {
                self.at = name.end();
            }
        }
        Some(())
    }

    /// From one string to the next, where nobody asks what stands where: much quicker than going through members and items.
    fn strings(&mut self, masking: &mut Masking<'_>) -> Option<()> {
        while let Some(ahead) = memchr(b'"', &self.text.as_bytes()[self.at..]) {
            self.at += ahead;
            let string = self.string()?;
            let behind = self.at;
            self.space();
            if self.peek() != Some(b':') {
                self.at = behind;
                self.text_value(masking, string, false)?;
            } else if self.is_named(masking, &string.decoded()?) {
                self.at += 1;
                self.value(masking, true)?;
            }
        }
        Some(())
    }

    fn value(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' => self.members(masking, masked),
            b'[' => self.items(masking, masked),
            b'"' => {
                let string = self.string()?;
                self.text_value(masking, string, masked)
            }
            _ => {
                let from = self.at;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || is_space(*byte);
                let rest = &self.text.as_bytes()[from..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
                let raw = self.text.get(from..self.at)?;
                let is_number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                if masked && is_number {
                    self.put(from, masking.mask_number(raw));
                }
                (!raw.is_empty()).then_some(())
            }
        }
    }

    fn text_value(
        &mut self,
        masking: &mut Masking<'_>,
        string: Quoted<'_>,
        masked: bool,
    ) -> Option<()> {
        let decoded = string.decoded()?;
        let replaced = if masked && !decoded.is_empty() {
            // Letters are written as they are.
            self.put(string.from, "\"");
            self.out.push_str(masking.mask(&decoded));
            self.out.push('"');
            None
        } else if let Some(inner) = self.inner(masking, &decoded) {
            inner
        } else if matches!(self.pass, Pass::Spread) {
            masking.texts.replaced(&decoded)
        } else {
            None
        };
        if let Some(replaced) = replaced {
            self.put(string.from, &quoted(&replaced));
        }
        Some(())
    }

    /// Text that is itself JSON, and what it is then; none where nothing of it is masked.
    fn inner(&self, masking: &mut Masking<'_>, decoded: &str) -> Option<Option<String>> {
        if !decoded.starts_with(['{', '[']) || self.depth == DEEPEST {
            return None;
        }
        serde_json::from_str::<IgnoredAny>(decoded).ok()?;
        let pass = match self.pass {
            Pass::Find { .. } => Pass::Find { pointers: false },
            Pass::Spread => Pass::Spread,
        };
        match scan(masking, decoded, pass, self.depth + 1)? {
            Cow::Owned(changed) => Some(Some(changed)),
            Cow::Borrowed(_) => Some(None),
        }
    }

    fn members(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
        self.at += 1;
        self.space();
        while self.peek()? != b'}' {
            let string = self.string()?;
            let name = string.decoded()?;
            if matches!(self.pass, Pass::Spread)
                && let Some(letters) = masking.texts.instead_of(&name)
            {
                self.put(string.from, &quoted(letters));
            }
            self.space();
            self.sign(b':')?;
            let before = self.step(|| name.replace('~', "~0").replace('/', "~1"));
            let here = masked || self.is_named(masking, &name) || self.is_pointed_at(masking);
            self.value(masking, here)?;
            self.path.truncate(before);
            self.comma_or(b'}')?;
        }
        self.sign(b'}')
    }

    fn items(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
        self.at += 1;
        self.space();
        let mut index = 0_usize;
        while self.peek()? != b']' {
            let before = self.step(|| index.to_string());
            let here = masked || self.is_pointed_at(masking);
            self.value(masking, here)?;
            self.path.truncate(before);
            index += 1;
            self.comma_or(b']')?;
        }
        self.sign(b']')
    }

    /// Goes down by one member or item, if anybody asks where this is. Returns the length of the path before.
    fn step(&mut self, name: impl FnOnce() -> String) -> usize {
        let before = self.path.len();
        if matches!(self.pass, Pass::Find { pointers: true }) {
            self.path.push('/');
            self.path.push_str(&name());
        }
        before
    }

    fn is_named(&self, masking: &Masking<'_>, name: &str) -> bool {
        matches!(self.pass, Pass::Find { .. }) && masking.masks.names(name)
    }

    fn is_pointed_at(&self, masking: &Masking<'_>) -> bool {
        matches!(self.pass, Pass::Find { pointers: true })
            && masking.masks.pointers.contains(&self.path)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn sign(&mut self, sign: u8) -> Option<()> {
        (self.peek()? == sign).then(|| self.at += 1)
    }

    fn comma_or(&mut self, end: u8) -> Option<()> {
        self.space();
        match self.peek()? {
            b',' => {
                self.at += 1;
                self.space();
                Some(())
            }
            other => (other == end).then_some(()),
        }
    }

    fn space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<Quoted<'a>> {
        let from = self.at;
        self.sign(b'"')?;
        let mut has_escapes = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            self.at += memchr2(b'"', b'\\', rest)?;
            if self.peek()? == b'"' {
                break;
            }
            has_escapes = true;
            self.at += 2;
        }
        self.at += 1;
        Some(Quoted { raw: self.text.get(from..self.at)?, from, has_escapes })
    }

    /// Puts something in the place of what stands between there and here.
    fn put(&mut self, from: usize, instead: &str) {
        if self.copied == 0 {
            self.out.reserve(self.text.len());
        }
        self.out.push_str(&self.text[self.copied..from]);
        self.out.push_str(instead);
        self.copied = self.at;
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.copied == 0 {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.copied..]);
        Cow::Owned(self.out)
    }
}

/// Of JSON.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
