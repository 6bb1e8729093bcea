//! Everything that one call's guest was told, as the journal keeps it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::steps::Span;
use crate::tape::random::Seed;

/// What one call counts for besides its text.
const CALL_BYTES: usize = 64;

/// Bytes that are mostly text. As text they can be read, and masked.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Blob {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|not| Self::Bytes(not.into_bytes()), Self::Text)
    }
}

impl From<Blob> for Vec<u8> {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Text(text) => text.into_bytes(),
            Blob::Bytes(bytes) => bytes,
        }
    }
}

/// One call of the host by a guest.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct HostCall {
    /// Interface and function, for example `open-api.call`.
    pub call: Cow<'static, str>,
    /// What was asked.
    pub asked: Value,
    /// What was answered.
    pub answered: Value,
    /// When, and for how long.
    #[serde(flatten)]
    pub span: Span,
}

impl HostCall {
    /// About how much memory the call holds.
    pub(super) fn size(&self) -> usize {
        CALL_BYTES + size_of_text(&self.asked) + size_of_text(&self.answered)
    }
}

/// Everything that one call was told. Most plugins ask for little of it, and what they did not ask for is not written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Told {
    /// What its randomness is made from; none if it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// Readings of the wall clock, nanoseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wall_ns: Vec<u64>,
    /// Readings of the monotonic clock, in nanoseconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monotonic_ns: Vec<u64>,
    /// How long there was left, each time it asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remaining_ms: Vec<u32>,
    /// Its calls, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<HostCall>,
    /// What stands in the journal where the plugin said a text that is masked. A plugin that is played says that text again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stand_ins: Vec<String>,
    /// There was more than is kept, so this cannot be played.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Told {
    /// Changes what was asked and answered, each as the text of JSON; not where `change` has nothing to change.
    pub fn each_value(&mut self, change: &mut dyn FnMut(&str) -> Option<String>) {
        for HostCall { asked, answered, .. } in &mut self.calls {
            for value in [asked, answered] {
                if let Some(changed) = change(&value.to_string()) {
                    *value = serde_json::from_str(&changed).unwrap_or_default();
                }
            }
        }
    }

    /// About how much memory it holds.
    pub fn size(&self) -> usize {
        let readings = self.wall_ns.len() + self.monotonic_ns.len() + self.remaining_ms.len();
        readings * size_of::<u64>() + self.calls.iter().map(HostCall::size).sum::<usize>()
    }
}

fn size_of_text(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => size_of::<u64>(),
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size_of_text).sum(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| key.len() + size_of_text(value)).sum()
        }
    }
}
