//! The platform's server API: tokens, grants and requests. Outbound only; what the platform sends is `callback`'s.

pub mod domain;
pub mod grant;
mod token;
pub mod transport;
