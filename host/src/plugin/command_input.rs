//! What a command is given before it starts.

/// Where a command finds how many milliseconds it has from its start until the host answers without it.
pub(super) const REMAINING: &str = "AVIARY_REMAINING_MS";

/// What a command is given besides standard input. Its settings are its environment.
#[derive(Debug)]
pub(super) struct CommandInput<'a> {
    /// The only argument: a program expects to find its name there.
    pub(super) name: &'a str,
    /// Pairs of name and value.
    pub(super) environment: Vec<(&'a str, &'a str)>,
    /// Milliseconds until the host answers without it.
    pub(super) remaining_ms: u32,
    /// The callback.
    pub(super) input: String,
    /// How much it may print on standard output.
    pub(super) reply_bytes: usize,
}
