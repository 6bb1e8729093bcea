//! Compiled plugins: from a file in a folder to an answer. The only modules that name wasmtime.

pub mod allow;
pub mod breaker;
pub mod code;
pub mod code_cache;
mod command;
mod compile;
pub mod drill;
pub mod engine;
mod explain;
pub mod form;
pub mod instance;
pub mod kept;
mod lift;
pub mod limits;
mod lower;
pub mod manifest;
pub mod meter;
mod own_words;
pub mod registry;
pub mod reload;
pub mod route;
mod self_test;
mod settings;
mod state;
pub mod status;
mod turns;
pub mod usage;
