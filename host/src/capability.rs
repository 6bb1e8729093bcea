//! What a guest may ask of the host: one file for each WIT interface.
//!
//! Each file holds the context one call needs and implements the interface for it. A guest's mistake is an error value
//! that the guest sees; nothing here traps.

pub mod access;
pub mod config;
pub mod deferred;
pub mod http;
pub mod key_value;
pub mod logging;
pub mod open_api;
pub mod request;
pub mod sealed_values;
pub mod stdio;
