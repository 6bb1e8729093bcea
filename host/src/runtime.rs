//! Runs plugins: takes the bytes of a file, and returns a raw reply for every callback. The layers above decide what a plugin
//! may do, and which callbacks it gets.

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
