//! The platform's server API: tokens, grants and requests. Outbound only; what the platform sends is `callback`'s.

mod credential_path;
mod credentials;
pub mod grant;
pub mod identity;
pub mod notebook;
pub mod rate_limit;
mod ticket;
mod token;
pub mod transport;
pub mod vault;
mod wire;
