//! Everything that the guest of one call was told, as the journal keeps it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::steps::Span;
use crate::tape::random::Seed;

/// Memory that one call counts for besides its texts, in bytes.
const CALL_BYTES: usize = 64;

/// Bytes that are usually text. As text they can be read and masked.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Blob {
    /// Bytes that are UTF-8.
    Text(String),
    /// Bytes that are not UTF-8.
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

/// One host call of a guest.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct HostCall {
    /// Interface and function, for example `open-api.call`.
    pub call: Cow<'static, str>,
    /// The arguments.
    pub asked: Value,
    /// The result.
    pub answered: Value,
    /// The start and the duration of the call.
    #[serde(flatten)]
    pub span: Span,
}

impl HostCall {
    /// Returns the estimated memory of the call, in bytes.
    pub(super) fn size(&self) -> usize {
        CALL_BYTES + size_of_text(&self.asked) + size_of_text(&self.answered)
    }
}

/// Everything that the guest of one call was told. Most plugins ask for little of it, and empty parts are not written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Told {
    /// The seed of its randomness; `None` if it asked for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// Readings of the wall clock, nanoseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wall_ns: Vec<u64>,
    /// Readings of the monotonic clock, in nanoseconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monotonic_ns: Vec<u64>,
    /// The remaining milliseconds, each time the guest asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remaining_ms: Vec<u32>,
    /// Its host calls, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<HostCall>,
    /// The stand-ins in the texts of this call. In a replay, the plugin says the masked texts again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stand_ins: Vec<String>,
    /// True if the call exceeded the limit of a recording, so that it cannot be replayed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Told {
    /// Changes the arguments and results, each given as the text of JSON. `change` returns `None` to leave one as it is.
    pub fn each_value(&mut self, change: &mut dyn FnMut(&str) -> Option<String>) {
        for HostCall { asked, answered, .. } in &mut self.calls {
            for value in [asked, answered] {
                if let Some(changed) = change(&value.to_string()) {
                    *value = serde_json::from_str(&changed).unwrap_or_default();
                }
            }
        }
    }

    /// Returns the estimated memory, in bytes.
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
