//! Headers that only the host may set.

use http::HeaderName;
use http::header;
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

/// Returns whether a header frames a request, separates it from others or routes it to its server. `trailer` could add any other
/// header later.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || matches!(*name, header::TE | header::TRAILER)
}
