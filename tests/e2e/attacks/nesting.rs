//! Deeply nested input must not overflow a stack.
