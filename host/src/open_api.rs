//! The platform's server API: tokens, grants and requests. This module only sends; requests from the platform belong to
//! `callback`.

mod credential_path;
mod credentials;
pub mod grant;
pub mod identity;
pub mod notebook;
pub mod rate_limit;
mod ticket;
mod token;
pub mod request;
pub mod transport;
pub mod vault;
mod wire;
