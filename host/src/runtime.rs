//! Runs plugins: the bytes of a file in, and for every callback a raw reply out. What a plugin may do, and which callbacks it
//! gets, is decided in the layers above.

pub mod config;
pub mod engine;
pub mod machine;
pub mod code;
pub mod code_cache;
pub mod compiler;
pub mod compiler_pool;
pub mod handlers;
pub mod limits;
mod memory;
pub mod unit;
pub mod reuse;
mod instance_pool;
pub mod call;
mod thread_priority;
