//! The platform's server API: tokens, grants and requests. Outbound only; what the platform sends is `callback`'s.

pub mod domain;
pub mod grant;
pub mod notebook;
pub mod rate_limit;
mod token;
pub mod transport;
