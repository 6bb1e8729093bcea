//! `lark:callback/request`: the whole callback for those who want it, and how long there is left.

use crate::bindings::lark::callback::request;
use crate::callback::model::RawJson;
use crate::deadline::Deadline;

/// The callback that is being answered.
#[derive(Clone, Debug)]
pub struct RequestCtx {
    raw: RawJson,
    without_secrets: Option<String>,
    deadline: Deadline,
}

impl RequestCtx {
    /// Parses nothing until a guest asks.
    pub fn new(raw: RawJson, deadline: Deadline) -> Self {
        Self { raw, without_secrets: None, deadline }
    }
}

impl request::Host for RequestCtx {
    fn raw(&mut self) -> String {
        // Parsed once in a call, however often a guest asks.
        self.without_secrets.get_or_insert_with(|| self.raw.without_secrets()).clone()
    }

    fn remaining_ms(&mut self) -> u32 {
        u32::try_from(self.deadline.remaining().as_millis()).unwrap_or(u32::MAX)
    }
}
