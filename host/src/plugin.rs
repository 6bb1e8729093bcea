//! Compiled plugins: from a file in a folder to an answer. The only modules that name wasmtime.

mod compile;
pub mod engine;
pub mod instance;
mod lift;
pub mod limits;
mod lower;
pub mod manifest;
pub mod registry;
pub mod reload;
pub mod route;
mod state;
