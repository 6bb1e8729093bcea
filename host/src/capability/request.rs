//! `lark:callback/request`: the whole callback for those who want it, and how long there is left.

use crate::bindings::lark::callback::request;
use crate::callback::model::RawJson;
use crate::deadline::Deadline;

/// The callback that is being answered.
#[derive(Clone, Debug)]
pub struct RequestCtx {
    raw: RawJson,
    deadline: Deadline,
}

impl RequestCtx {
    /// Parses nothing until a guest asks.
    pub fn new(raw: RawJson, deadline: Deadline) -> Self {
        Self { raw, deadline }
    }
}

impl request::Host for RequestCtx {
    fn raw(&mut self) -> String {
        self.raw.without_secrets()
    }

    fn remaining_ms(&mut self) -> u32 {
        u32::try_from(self.deadline.remaining().as_millis()).unwrap_or(u32::MAX)
    }
}
