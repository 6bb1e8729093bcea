//! Makes text from outside fit for a log line, a terminal or a page: of a bounded length, and without characters that end a line,
//! control a terminal or reorder the text around them.
//!
//! An escape looks as in JSON (`\u001b`), so that escaped JSON is still the same JSON.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

/// The most bytes of an id, a name or a type. The platform's own have some thirty.
pub const MAX_NAME_BYTES: usize = 1024;
/// The most bytes of a sentence: as many as a plugin may write in one line of its log.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

/// The unsafe characters that escaping leaves as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// None: the text is part of one line.
    Nothing,
    /// Line feeds and tabs: the text has lines of its own.
    Lines,
}

/// Returns true if a terminal, or a reader of lines, would act on this character instead of showing it.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Marks and controls of text direction.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators, and the byte order mark.
            | '\u{2028}' | '\u{2029}' | '\u{feff}'
        )
}

/// Writes the escape of a character.
fn push_escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Every unsafe character is in the first plane, and writing to a string cannot fail.
        c => drop(write!(out, "\\u{:04x}", u32::from(c))),
    }
}

/// Writes text between quotation marks of JSON, as far as `out` stays below `most` bytes. Returns how many bytes of the text
/// were written.
pub fn push_quoted(out: &mut String, text: &str, most: usize) -> usize {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    push(out, text, most, is_plain, |out, c| match c {
        '"' | '\\' => out.extend(['\\', c]),
        c if is_unsafe(c) => push_escape(out, c),
        c => out.push(c),
    })
}

/// Writes text as part of a line, as far as `out` stays below `most` bytes. Returns how many bytes of the text were written.
pub fn push_escaped(out: &mut String, text: &str, most: usize) -> usize {
    push(
        out,
        text,
        most,
        |byte| matches!(byte, b' '..=b'~'),
        |out, c| {
            if is_unsafe(c) { push_escape(out, c) } else { out.push(c) }
        },
    )
}

/// Writes fitting text. Almost every text is plain ASCII, which is copied in one go.
fn push(
    out: &mut String,
    text: &str,
    most: usize,
    is_plain: impl Fn(u8) -> bool,
    mut put: impl FnMut(&mut String, char),
) -> usize {
    let room = most.saturating_sub(out.len());
    let fitting = &text[..text.floor_char_boundary(room)];
    if fitting.bytes().all(&is_plain) {
        out.push_str(fitting);
        return fitting.len();
    }
    for (at, c) in fitting.char_indices() {
        let before = out.len();
        put(out, c);
        if out.len() > most {
            out.truncate(before);
            return at;
        }
    }
    fitting.len()
}

/// Appends a note that says how many bytes of the text are missing.
pub fn push_clipped(out: &mut String, missing: usize) {
    // Writing to a string cannot fail.
    let _ = write!(out, "… ({missing} bytes clipped)");
}

/// Returns the text, cut to at most `most` bytes, with a note if something is missing.
pub fn clipped(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let mut short = text[..text.floor_char_boundary(most)].to_owned();
    let missing = text.len() - short.len();
    push_clipped(&mut short, missing);
    Cow::Owned(short)
}

/// Returns the text with unsafe characters escaped.
pub fn escaped(text: &str, keep: Keep) -> Cow<'_, str> {
    let stays = |c: char| match keep {
        Keep::Lines => !is_unsafe(c) || matches!(c, '\n' | '\t'),
        Keep::Nothing => !is_unsafe(c),
    };
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if stays(c) { safe.push(c) } else { push_escape(&mut safe, c) }
    }
    Cow::Owned(safe)
}

/// Takes formatted text up to a limit, and counts the bytes beyond it. So a value never takes more memory than its limit.
#[derive(Debug)]
pub struct Clipping<P> {
    room: usize,
    missing: usize,
    push: P,
}

impl<P: FnMut(&str) -> usize> Clipping<P> {
    /// Passes at most `room` bytes to `push`, which returns how many it took.
    pub fn new(room: usize, push: P) -> Self {
        Self { room, missing: 0, push }
    }

    /// Returns the number of bytes that did not fit.
    pub fn missing(&self) -> usize {
        self.missing
    }
}

impl<P: FnMut(&str) -> usize> fmt::Write for Clipping<P> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.missing > 0 {
            self.missing += text.len();
            return Ok(());
        }
        let fitting = &text[..text.floor_char_boundary(self.room)];
        let taken = (self.push)(fitting);
        self.room -= taken;
        self.missing = text.len() - taken;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "a\n\u{1b}[2J\u{202e}b\u{9b}\u{7f}\u{2028}\0\"\\é字";

    #[test]
    fn no_character_controls_anything() {
        let line = escaped(NASTY, Keep::Nothing);
        assert_eq!(line, "a\\n\\u001b[2J\\u202eb\\u009b\\u007f\\u2028\\u0000\"\\é字");
        assert!(escaped(NASTY, Keep::Lines).starts_with("a\n\\u001b"));
        let all: String =
            (0..=0xffff).filter_map(char::from_u32).filter(|c| is_unsafe(*c)).collect();
        assert_eq!(all.chars().count(), 33 + 32 + 3 + 5 + 4 + 2 + 1);
        assert!(!escaped(&all, Keep::Nothing).contains(is_unsafe));
    }

    #[test]
    fn quoted_text_is_json() {
        let mut json = "\"".to_owned();
        assert_eq!(push_quoted(&mut json, NASTY, usize::MAX), NASTY.len());
        json.push('"');
        assert!(!json.contains(is_unsafe), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), NASTY);
    }

    #[test]
    fn what_is_escaped_stays_the_same_json() {
        let json = serde_json::json!({ "a": NASTY }).to_string();
        let safe = escaped(&json, Keep::Lines);
        assert!(!safe.contains(is_unsafe), "{safe}");
        let same: serde_json::Value = serde_json::from_str(&safe).unwrap();
        assert_eq!(same["a"], NASTY);
    }

    #[test]
    fn a_limit_holds_for_what_is_written() {
        for most in 0..60 {
            let mut out = String::new();
            let taken = push_quoted(&mut out, NASTY, most);
            assert!(out.len() <= most && NASTY.is_char_boundary(taken), "{most}: {out}");
        }
        assert_eq!(clipped("abc", 3), "abc");
        assert_eq!(clipped("字字字", 4), "字… (6 bytes clipped)");
    }

    #[test]
    fn formatting_stops_at_the_limit_and_counts_the_rest() {
        let mut kept = String::new();
        let mut clipping = Clipping::new(5, |text: &str| {
            kept.push_str(text);
            text.len()
        });
        let (short, wide) = ("abc", "字字");
        write!(clipping, "{short}-{wide}-more").unwrap();
        assert_eq!(clipping.missing(), "字字-more".len());
        assert_eq!(kept, "abc-");
    }
}
