//! Aviary: the host that owns a Feishu/Lark app's long connection and webhook and answers every callback with a
//! WebAssembly component.
//!
//! Modules are listed lowest layer first; a module uses only those above it in this list. `tests/tidy.rs` holds them
//! to it.

pub mod secret;
pub mod deadline;
pub mod shutdown;
pub mod callback;
pub mod telemetry;
pub mod tls;
pub mod store;
mod bindings;
pub mod open_api;
pub mod capability;
pub mod plugin;
pub mod dispatch;
pub mod ingress;
pub mod simulator;
pub mod config;
pub mod admin;
pub mod app;
pub mod guest_build;
pub mod demo;
pub mod cli;

pub use crate::app::Host;
pub use crate::app::HostBuilder;
pub use crate::app::Metrics;
pub use crate::app::StartError;
pub use crate::config::Config;
pub use crate::config::ConfigError;
