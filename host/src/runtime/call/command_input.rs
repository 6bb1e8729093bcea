//! The input of a command.

use crate::capability::context::CallContext;

/// The variable with the milliseconds from the command's start until the host answers without it.
pub(in crate::runtime) const REMAINING: &str = "AVIARY_REMAINING_MS";

/// The input of a command. Its environment variables are the plugin's settings.
#[derive(Debug)]
pub(in crate::runtime) struct CommandInput<'a> {
    /// The only argument, where programs expect their name.
    pub(in crate::runtime) name: &'a str,
    /// The names and values of its variables.
    pub(in crate::runtime) environment: Vec<(&'a str, &'a str)>,
    /// Milliseconds from its start until the host answers without it.
    pub(in crate::runtime) remaining_ms: u32,
    /// The callback's JSON, for standard input.
    pub(in crate::runtime) input: String,
    /// Bytes that it may write to standard output.
    pub(in crate::runtime) reply_bytes: usize,
}

impl<'a> CommandInput<'a> {
    /// Makes the input of a call. The reply may have `reply_bytes` bytes.
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
