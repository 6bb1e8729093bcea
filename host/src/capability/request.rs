//! `lark:callback/request`: the whole callback for those who want it, and how long there is left.

use crate::bindings::lark::callback::request;
use crate::callback::model::RawJson;
use crate::deadline::Deadline;
use crate::tape::Tape;

/// The callback that is being answered.
#[derive(Clone, Debug)]
pub struct RequestCtx {
    raw: RawJson,
    without_secrets: Option<String>,
    deadline: Deadline,
    tape: Tape,
}

impl RequestCtx {
    /// Parses nothing until a guest asks.
    pub fn new(raw: RawJson, deadline: Deadline, tape: Tape) -> Self {
        Self { raw, without_secrets: None, deadline, tape }
    }
}

impl request::Host for RequestCtx {
    fn raw(&mut self) -> String {
        // Parsed once in a call, however often a guest asks.
        self.without_secrets.get_or_insert_with(|| self.raw.without_secrets()).clone()
    }

    fn remaining_ms(&mut self) -> u32 {
        self.tape.remaining_ms(self.deadline.remaining_ms())
    }
}
