//! How much goes over the wire in one request.

/// The most that a plugin sends in one request; the platform's own requests are a tenth of that.
pub(super) const MAX_REQUEST_BYTES: u64 = 1 << 20;
/// The most that a plugin gets, as from the server API. It has to fit into its memory.
pub(super) const MAX_RESPONSE_BYTES: u64 = 4 << 20;
