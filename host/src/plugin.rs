//! One plugin: its sidecar file, routes, policy and breaker, how its calls are started and counted, and the choice among the
//! live plugins.

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
mod toast_config;
pub mod not_granted;
pub mod socket_modules;
pub mod originator;
pub mod rehearsed;
