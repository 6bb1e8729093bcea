//! What one plugin may do and what is wanted of it: its sidecar file, its routes, its breaker, and the set of plugins that is
//! live at one moment.

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
mod settings;
mod secrets;
mod own_words;
mod not_granted;
pub mod registry;
pub mod originator;
pub mod reload;
pub mod report;
pub mod folder_event;
mod folder_log;
pub mod status;
mod rehearsed;
pub mod canary;
pub mod promote;
pub mod playback;
mod self_test;
pub mod drill;
