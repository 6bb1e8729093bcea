//! Aviary: the host that owns a Feishu/Lark app's long connection and webhook and answers every callback with a
//! WebAssembly component.
//!
//! To a server that embeds it, Aviary is [`Host`], [`Config`], what [`Host::observe`] tells, and [`run_as_compiler`], with which
//! its `main` begins; [`simulator`] is there for
//! everybody's tests, with the parts of the wire that it shows, and [`Drill`] for measurements. The rest is the program's own.
//!
//! Modules are listed lowest layer first; a module uses only those above it in this list. `tests/tidy.rs` holds them
//! to it.
#![allow(
    unreachable_pub,
    reason = "in a module that is not public, `pub` says what the other modules may use"
)]

mod printable;
mod terminal;
mod small_file;
pub mod secret;
mod named_fields;
mod open_files;
mod deadline;
mod clock;
mod first_poll;
pub mod steps;
pub mod record;
mod tape;
mod shutdown;
pub mod callback;
mod platform_code;
pub mod telemetry;
mod trace;
mod tls;
mod http_server;
mod local_page;
mod store;
mod journal;
mod bindings;
mod open_api;
mod capability;
mod runtime;
mod plugin;
mod dispatch;
pub mod ingress;
pub mod simulator;
mod config;
mod admin;
mod app;
mod doctor;
mod guest_build;
mod workshop;
mod stage;
mod demo;
mod dev;
pub mod cli;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use crate::app::Host;
pub use crate::app::HostBuilder;
pub use crate::app::Metrics;
pub use crate::app::StartError;
pub use crate::config::Config;
pub use crate::config::ConfigError;
pub use crate::plugin::drill::Drill;
pub use crate::plugin::drill::DrillError;
pub use crate::runtime::compiler::compile_with;
pub use crate::runtime::compiler::run_as_compiler;
