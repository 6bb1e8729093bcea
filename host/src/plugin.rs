//! What one plugin may do and what is wanted of it: its sidecar file, its routes, its breaker, and the choice among the plugins
//! that are live.

pub mod loaded;
pub mod start_call;
pub mod breaker;
pub mod usage;
pub mod decision;
pub mod manifest;
pub mod config;
mod policy;
pub mod allow;
pub mod route;
mod route_index;
pub mod live;
pub mod settings;
pub mod secrets;
mod own_words;
pub mod not_granted;
pub mod originator;
pub mod rehearsed;
