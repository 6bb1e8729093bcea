//! What a command is given before it starts.

use crate::capability::context::CallContext;

/// Where a command finds how many milliseconds it has from its start until the host answers without it.
pub(in crate::runtime) const REMAINING: &str = "AVIARY_REMAINING_MS";

/// What a command is given besides standard input. Its settings are its environment.
#[derive(Debug)]
pub(in crate::runtime) struct CommandInput<'a> {
    /// The only argument: a program expects to find its name there.
    pub(in crate::runtime) name: &'a str,
    /// Pairs of name and value.
    pub(in crate::runtime) environment: Vec<(&'a str, &'a str)>,
    /// Milliseconds until the host answers without it.
    pub(in crate::runtime) remaining_ms: u32,
    /// The callback.
    pub(in crate::runtime) input: String,
    /// How much it may print on standard output.
    pub(in crate::runtime) reply_bytes: usize,
}

impl<'a> CommandInput<'a> {
    /// The command may answer with `reply_bytes`.
    pub(in crate::runtime) fn new(context: &'a CallContext, reply_bytes: usize) -> Self {
        Self {
            name: &context.access.id.name,
            environment: context.access.settings.pairs().collect(),
            remaining_ms: context.remaining_ms(),
            input: context.callback.raw().without_secrets(),
            reply_bytes,
        }
    }
}
