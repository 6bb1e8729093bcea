//! Keys for answers that are kept for somebody: a hash over every field that tells one person or question from another. Each
//! field is hashed with its length, so that two different lists of fields never hash the same bytes.

use crate::callback::model::Callback;

/// A hash that stands for its fields: nobody can find two lists of fields with the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct IdentityKey([u8; 32]);

impl IdentityKey {
    /// Returns the key as hex, for a name in the store.
    pub(super) fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// Hashes fields one after the other. All keys of one purpose must add their fields in the same order.
pub(super) struct Fields(blake3::Hasher);

impl Fields {
    /// Starts with the purpose, the callback's type and app, and both tenants. Keys of different purposes never meet.
    pub(super) fn of(purpose: &str, callback: &Callback) -> Self {
        let tenants = callback.tenants();
        Self(blake3::Hasher::new())
            .text(purpose)
            .text(&callback.header.event_type)
            .text(&callback.header.app_id)
            .text(tenants.addressed)
            .text(tenants.operator)
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// Hashes an optional field; an absent text differs from an empty one.
    pub(super) fn optional(self, text: Option<&str>) -> Self {
        match text {
            None => self.number(0),
            Some(text) => self.number(1).text(text),
        }
    }

    pub(super) fn list(self, texts: &[String]) -> Self {
        texts.iter().fold(self.number(texts.len() as u64), |fields, text| fields.text(text))
    }

    pub(super) fn flag(self, flag: Option<bool>) -> Self {
        self.number(flag.map_or(0, |flag| 1 + u64::from(flag)))
    }

    fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(super) fn key(self) -> IdentityKey {
        IdentityKey(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(addressed: &str) -> Callback {
        let mut callback = Callback::default();
        callback.header.tenant_key = addressed.to_owned();
        callback
    }

    #[test]
    fn different_fields_make_different_keys() {
        let fields = || Fields::of("p", &callback("t"));
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let keys = [
            fields().text("a").text("bc").key(),
            fields().text("ab").text("c").key(),
            fields().text("abc").text("").key(),
            fields().text("abc").key(),
            fields().optional(None).text("abc").key(),
            fields().optional(Some("")).text("abc").key(),
            fields().list(&words(&["abc"])).key(),
            fields().list(&words(&["a", "bc"])).key(),
            fields().flag(None).key(),
            fields().flag(Some(false)).key(),
            fields().flag(Some(true)).key(),
            Fields::of("q", &callback("t")).text("abc").key(),
            Fields::of("p", &callback("u")).text("abc").key(),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[index + 1..].contains(key), "key {index} is made twice");
        }
    }
}
