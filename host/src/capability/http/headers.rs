//! The headers that are the host's alone.

use http::HeaderName;
use http::header;
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

/// Headers by which a request is framed, told from others or led to its server. `trailer` could bring any other one later.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || matches!(*name, header::TE | header::TRAILER)
}
