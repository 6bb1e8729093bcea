//! Searches JSON for values to mask. Everything else is neither copied nor read twice, because every callback in the journal
//! goes through here. Recursion is bounded and does not follow the depth of the JSON, which strangers choose.

use std::borrow::Cow;

use memchr::memchr;
use memchr::memchr_iter;
use memchr::memchr2;
use memchr::memmem;
use memchr::memrchr;
use serde::de::IgnoredAny;

use crate::callback::nesting::TOO_DEEP;
use crate::journal::mask::Masking;
use crate::secret::in_text;
use crate::secret::names::SecretPlace;

/// Levels of JSON inside strings that are parsed: cards in messages in callbacks. A deeper level is masked whole.
const DEEPEST: usize = 4;
/// Longest member name with its quotes, in bytes. No name that is looked for is longer.
const LONGEST_NAME: usize = 256;

/// The purpose of a pass over JSON.
#[derive(Clone, Copy)]
pub(super) enum MaskPass {
    /// Finds values to mask by the names of members.
    Find,
    /// Finds values in host calls of plugins: also looks for names in pairs and in texts, without a hint that there are any.
    FindClosely,
    /// Finds values by names and, in the callback, by JSON pointers.
    FindPointers,
    /// Masks every occurrence of the texts that were found.
    Spread,
}

/// Makes one pass over JSON, and returns the masked text. Returns `None` if the text is not JSON.
pub(super) fn scan<'t>(
    masking: &mut Masking<'_>,
    text: &'t str,
    pass: MaskPass,
    depth: usize,
) -> Option<Cow<'t, str>> {
    let has_escapes = memchr(b'\\', text.as_bytes()).is_some();
    let closely = match pass {
        MaskPass::FindClosely => true,
        MaskPass::Find | MaskPass::FindPointers => {
            in_text::may_stand_in(text.as_bytes())
                // Any character may be written as an escape.
                || (has_escapes && memmem::find(text.as_bytes(), b"\\u").is_some())
        }
        MaskPass::Spread => false,
    };
    let (out, path) = (String::new(), String::new());
    let mut scan = Scan { text, at: 0, copied: 0, out, path, pass, depth, closely };
    match pass {
        MaskPass::Find if !has_escapes && !closely => scan.names(masking)?,
        MaskPass::Find | MaskPass::FindClosely | MaskPass::Spread => scan.strings(masking)?,
        MaskPass::FindPointers => scan.value(masking, 0)?,
    }
    Some(scan.finish())
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A string of the JSON and its position.
#[derive(Clone, Copy)]
struct Quoted<'a> {
    /// The text of the string, with its quotes.
    raw: &'a str,
    from: usize,
    has_escapes: bool,
}

impl<'a> Quoted<'a> {
    /// Returns the decoded text. Half of a surrogate pair cannot be decoded but is valid JSON, so such a string stays as it is
    /// written.
    fn decoded(self) -> Cow<'a, str> {
        if self.has_escapes
            && let Ok(text) = serde_json::from_str(self.raw)
        {
            return Cow::Owned(text);
        }
        Cow::Borrowed(self.raw.get(1..self.raw.len() - 1).unwrap_or_default())
    }
}

/// A pass over JSON, which copies the text only once something is masked.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// Length of the text that `out` already covers.
    copied: usize,
    out: String,
    path: String,
    pass: MaskPass,
    depth: usize,
    /// True if strings are searched for credentials too.
    closely: bool,
}

impl<'a> Scan<'a> {
    /// Goes from one colon to the next. This works for text without escapes: each quote begins or ends a string, and a quote
    /// between a letter and a colon ends a name.
    fn names(&mut self, masking: &mut Masking<'_>) -> Option<()> {
        let bytes = self.text.as_bytes();
        for colon in memchr_iter(b':', bytes) {
            // The colon is inside a masked value, which was skipped.
            if colon < self.at {
                continue;
            }
            self.at = colon + 1;
            let names = &masking.masks.names;
            let mut end = colon;
            while end > 0 && is_space(bytes[end - 1]) {
                end -= 1;
            }
            let before = &bytes[..end];
            let Some(name) = before.strip_suffix(b"\"") else {
                // The colon is inside a string.
                if names.may_end(before) && in_text::is_named_before(self.text, colon, names) {
                    return self.again_closely(masking);
                }
                continue;
            };
            if !names.may_end(name) {
                continue;
            }
            let least = end.saturating_sub(LONGEST_NAME);
            let Some(quote) = memrchr(b'"', &bytes[least..end - 1]) else { continue };
            let name = &bytes[least + quote + 1..end - 1];
            if names.look_up(name, SecretPlace::Member) {
                self.under(masking, name)?;
            }
        }
        Some(())
    }

    /// Starts over and searches strings too. Texts that were masked already get the same letters.
    fn again_closely(&mut self, masking: &mut Masking<'_>) -> Option<()> {
        (self.at, self.copied, self.closely) = (0, 0, true);
        self.out.clear();
        self.strings(masking)
    }

    /// Goes from one string to the next, for passes that need no path. Much quicker than going through members and items.
    fn strings(&mut self, masking: &mut Masking<'_>) -> Option<()> {
        while let Some(ahead) = memchr(b'"', &self.text.as_bytes()[self.at..]) {
            self.at += ahead;
            let string = self.string()?;
            match self.follows() {
                Some(b':') => self.name(masking, string)?,
                Some(b',') if self.begins_list(string) && self.pair(masking, string)? => {}
                _ => self.text_value(masking, string),
            }
        }
        Some(())
    }

    /// Handles the name of a member, and masks its value if the name demands it.
    fn name(&mut self, masking: &mut Masking<'_>, string: Quoted<'_>) -> Option<()> {
        let name = string.decoded();
        if matches!(self.pass, MaskPass::Spread) {
            if let Some(letters) = masking.texts.instead_of(&name) {
                self.put(string.from, &quoted(letters));
            }
        } else if masking.masks.names.hold(name.as_bytes(), SecretPlace::Member) {
            self.space();
            self.sign(b':')?;
            self.under(masking, name.as_bytes())?;
        }
        Some(())
    }

    /// Masks the value in `["authorization", "…"]`, the form of headers and parameters. Returns whether it was such a pair; if
    /// not, the position stays.
    fn pair(&mut self, masking: &mut Masking<'_>, name: Quoted<'_>) -> Option<bool> {
        let name = name.decoded();
        if matches!(self.pass, MaskPass::Spread)
            || !masking.masks.names.hold(name.as_bytes(), SecretPlace::Parameter)
        {
            return Some(false);
        }
        let behind = self.at;
        self.space();
        self.sign(b',')?;
        self.space();
        if self.peek() == Some(b'"') {
            let value = self.string()?;
            if self.follows() == Some(b']') {
                self.mask_string(masking, name.as_bytes(), value);
                return Some(true);
            }
        } else if self.peek() == Some(b'[') {
            // The value is bytes that are not text.
            self.under(masking, name.as_bytes())?;
            return Some(true);
        }
        self.at = behind;
        Some(false)
    }

    /// Goes through one value and tracks its path. The recursion ends at the depth at which the door refuses a callback.
    fn value(&mut self, masking: &mut Masking<'_>, level: usize) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' | b'[' if level == TOO_DEEP => self.under(masking, b""),
            b'{' => self.members(masking, level + 1),
            b'[' => self.items(masking, level + 1),
            b'"' => {
                let string = self.string()?;
                self.text_value(masking, string);
                Some(())
            }
            _ => self.scalar(masking, false),
        }
    }

    /// Masks every text and number of a value, at any depth and without recursion.
    fn under(&mut self, masking: &mut Masking<'_>, name: &[u8]) -> Option<()> {
        let mut open = 0_usize;
        loop {
            self.space();
            match self.peek()? {
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open = open.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                b'"' => {
                    let string = self.string()?;
                    if open == 0 || self.follows() != Some(b':') {
                        self.mask_string(masking, name, string);
                    }
                }
                _ => self.scalar(masking, true)?,
            }
            if open == 0 {
                return Some(());
            }
        }
    }

    fn scalar(&mut self, masking: &mut Masking<'_>, masked: bool) -> Option<()> {
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

    /// Masks a string under a masked name.
    fn mask_string(&mut self, masking: &mut Masking<'_>, name: &[u8], string: Quoted<'_>) {
        let decoded = string.decoded();
        match in_text::parts_under(name, &decoded) {
            None if decoded.is_empty() => {}
            // The substitute consists of letters, which need no escapes.
            None => {
                self.put(string.from, "\"");
                self.out.push_str(masking.mask(&decoded));
                self.out.push('"');
            }
            Some(parts) => self.put(string.from, &quoted(&masking.mask_in(&decoded, &parts))),
        }
    }

    fn text_value(&mut self, masking: &mut Masking<'_>, string: Quoted<'_>) {
        let decoded = string.decoded();
        let replaced = match self.inner(masking, &decoded) {
            Some(inner) => inner,
            None if matches!(self.pass, MaskPass::Spread) => masking.texts.replaced(&decoded),
            None if self.closely || has_a_name(&decoded, masking) => {
                masking.found_in_text(&decoded)
            }
            None => None,
        };
        if let Some(replaced) = replaced {
            self.put(string.from, &quoted(&replaced));
        }
    }

    /// Handles a string that is itself JSON. The outer `None` means that it is not handled as JSON, the inner one that nothing
    /// in it was masked.
    fn inner(&self, masking: &mut Masking<'_>, decoded: &str) -> Option<Option<String>> {
        if !decoded.starts_with(['{', '[']) {
            return None;
        }
        serde_json::from_str::<IgnoredAny>(decoded).ok()?;
        let pass = match self.pass {
            MaskPass::Find | MaskPass::FindPointers => MaskPass::Find,
            MaskPass::FindClosely => MaskPass::FindClosely,
            MaskPass::Spread => MaskPass::Spread,
        };
        if self.depth == DEEPEST {
            let hides = !matches!(pass, MaskPass::Spread) && decoded.contains(['"', ':']);
            return hides.then(|| Some(masking.mask(decoded).to_owned()));
        }
        match scan(masking, decoded, pass, self.depth + 1)? {
            Cow::Owned(changed) => Some(Some(changed)),
            Cow::Borrowed(_) => Some(None),
        }
    }

    fn members(&mut self, masking: &mut Masking<'_>, level: usize) -> Option<()> {
        self.at += 1;
        self.space();
        while self.peek()? != b'}' {
            let name = self.string()?.decoded();
            self.space();
            self.sign(b':')?;
            let before = self.step(&name.replace('~', "~0").replace('/', "~1"));
            if masking.masks.names.hold(name.as_bytes(), SecretPlace::Member)
                || self.is_pointed_at(masking)
            {
                self.under(masking, name.as_bytes())?;
            } else {
                self.value(masking, level)?;
            }
            self.path.truncate(before);
            self.comma_or(b'}')?;
        }
        self.sign(b'}')
    }

    fn items(&mut self, masking: &mut Masking<'_>, level: usize) -> Option<()> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b'"') {
            let first = self.at;
            let string = self.string()?;
            if self.follows() == Some(b',') && self.pair(masking, string)? {
                self.space();
                return self.sign(b']');
            }
            self.at = first;
        }
        let mut index = 0_usize;
        while self.peek()? != b']' {
            let before = self.step(&index.to_string());
            match self.is_pointed_at(masking) {
                true => self.under(masking, b"")?,
                false => self.value(masking, level)?,
            }
            self.path.truncate(before);
            index += 1;
            self.comma_or(b']')?;
        }
        self.sign(b']')
    }

    /// Descends into a member or item. Returns the length of the path before.
    fn step(&mut self, name: &str) -> usize {
        let before = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        before
    }

    fn is_pointed_at(&self, masking: &Masking<'_>) -> bool {
        masking.masks.pointers.contains(&self.path)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Returns the next byte that is not white space, without moving.
    fn follows(&self) -> Option<u8> {
        self.text.as_bytes()[self.at..].iter().copied().find(|byte| !is_space(*byte))
    }

    fn begins_list(&self, string: Quoted<'_>) -> bool {
        let before = self.text.as_bytes()[..string.from].iter().rev();
        before.copied().find(|byte| !is_space(*byte)) == Some(b'[')
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

    /// Replaces the text from `from` to the current position.
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

/// Returns whether the text contains a credential's name and a colon, as in `password: …`.
fn has_a_name(text: &str, masking: &Masking<'_>) -> bool {
    let mut colons = memchr_iter(b':', text.as_bytes());
    colons.any(|colon| in_text::is_named_before(text, colon, &masking.masks.names))
}

/// Returns whether JSON counts this byte as white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
