//! Writes the members of a JSON object, one after the other, into a buffer. An entry of the journal has about thirty. Their
//! names are constants that take a few instructions to copy when the functions here are inlined, and most values need no
//! escapes: a general writer takes a third longer.

/// An object that is being written.
pub(super) struct Members<'a> {
    into: &'a mut Vec<u8>,
}

impl<'a> Members<'a> {
    /// Opens the object.
    pub(super) fn begin(into: &'a mut Vec<u8>) -> Self {
        into.push(b'{');
        Self { into }
    }

    /// Writes a string; writes nothing for `None`.
    #[inline(always)]
    pub(super) fn text<'t>(&mut self, name: &str, text: impl Into<Option<&'t str>>) {
        if let Some(text) = text.into() {
            self.name(name);
            string(self.into, text);
        }
    }

    /// Writes a number; writes nothing for `None`.
    #[inline(always)]
    pub(super) fn number(&mut self, name: &str, number: impl Into<Option<u64>>) {
        if let Some(number) = number.into() {
            self.name(name);
            self.into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
    }

    /// Writes a value that is JSON already.
    #[inline(always)]
    pub(super) fn json(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.into.extend_from_slice(json);
    }

    /// Writes the value that `write` appends, which must be JSON.
    pub(super) fn value<T>(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.name(name);
        write(self.into)
    }

    /// Closes the object.
    pub(super) fn end(self) {
        self.into.push(b'}');
    }

    /// Writes a name. The names are constants that need no escapes.
    #[inline(always)]
    fn name(&mut self, name: &str) {
        if self.into.last() != Some(&b'{') {
            self.into.push(b',');
        }
        self.into.push(b'"');
        self.into.extend_from_slice(name.as_bytes());
        self.into.extend(b"\":");
    }
}

/// Writes a string with its quotes.
fn string(into: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if !text.bytes().all(is_plain) {
        // Serializing a string into memory does not fail.
        let _ = serde_json::to_writer(into, text);
        return;
    }
    into.push(b'"');
    into.extend_from_slice(text.as_bytes());
    into.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut into = Vec::new();
        let mut members = Members::begin(&mut into);
        let texts = ["plain 你好", "a \"quoted\" \\ one", "two\nlines and a \u{1}", ""];
        for (name, text) in ["a", "b", "c", "d"].into_iter().zip(texts) {
            members.text(name, text);
        }
        members.text("none", None);
        members.number("most", u64::MAX);
        members.number("no number", None);
        members.json("json", b"[1]");
        members.value("object", |into| Members::begin(into).end());
        members.end();
        let read: serde_json::Value = serde_json::from_slice(&into).unwrap();
        let expected = serde_json::json!({
            "a": texts[0], "b": texts[1], "c": texts[2], "d": texts[3],
            "most": u64::MAX, "json": [1], "object": {},
        });
        assert_eq!(read, expected);
    }
}
