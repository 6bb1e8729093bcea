//! `vectors/vectors.json`: what the official SDKs were seen to send, accept and answer.

use std::sync::OnceLock;

use anyhow::Context as _;
use serde_json::Value;

use crate::artifacts;

/// The whole file.
pub fn all() -> &'static Value {
    static VECTORS: OnceLock<Value> = OnceLock::new();
    VECTORS.get_or_init(|| {
        let path = artifacts::source_root().join("tests/vectors/vectors.json");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    })
}

/// The value at that JSON pointer.
pub fn at(pointer: &str) -> anyhow::Result<&'static Value> {
    all().pointer(pointer).with_context(|| format!("vectors.json has no {pointer}"))
}

/// The text at that JSON pointer.
pub fn text(pointer: &str) -> anyhow::Result<&'static str> {
    at(pointer)?.as_str().with_context(|| format!("{pointer} is not text"))
}

/// The bytes that the hex at that JSON pointer stands for.
pub fn bytes(pointer: &str) -> anyhow::Result<Vec<u8>> {
    hex::decode(text(pointer)?).with_context(|| format!("{pointer} is not hex"))
}
