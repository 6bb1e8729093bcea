//! Limits on the bytes of one request.

/// Most bytes that a plugin sends in one request; the platform's own requests are a tenth of that.
pub(super) const MAX_REQUEST_BYTES: u64 = 1 << 20;
/// Most bytes that a plugin receives, the same as from the server API. They have to fit into its memory.
pub(super) const MAX_RESPONSE_BYTES: u64 = 4 << 20;
