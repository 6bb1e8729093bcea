//! A component without a single handler.
