//! `vectors/vectors.json`: what the official SDKs were observed to send, accept and answer.

use std::sync::OnceLock;

use anyhow::Context as _;
use serde_json::Value;

use crate::artifacts;

/// Returns the whole file.
pub fn all() -> &'static Value {
    static VECTORS: OnceLock<Value> = OnceLock::new();
    VECTORS.get_or_init(|| {
        let path = artifacts::source_root().join("tests/vectors/vectors.json");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    })
}

/// Returns the value at that JSON pointer.
pub fn at(pointer: &str) -> anyhow::Result<&'static Value> {
    all().pointer(pointer).with_context(|| format!("vectors.json has no {pointer}"))
}

/// Returns the text at that JSON pointer.
pub fn text(pointer: &str) -> anyhow::Result<&'static str> {
    at(pointer)?.as_str().with_context(|| format!("{pointer} is not text"))
}

/// Decodes the hex text at that JSON pointer.
pub fn bytes(pointer: &str) -> anyhow::Result<Vec<u8>> {
    hex::decode(text(pointer)?).with_context(|| format!("{pointer} is not hex"))
}
