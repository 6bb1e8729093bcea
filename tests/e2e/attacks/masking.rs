//! Credentials must not reach the journal under any spelling.
