//! The two doors a callback comes in by.

pub mod long_connection;
pub mod webhook;
