//! Aviary: the host that owns a Feishu/Lark app's long connection and webhook and answers every callback with a
//! WebAssembly component.
//!
//! To a server that embeds it, Aviary is [`Host`], [`Config`], what [`Host::observe`] tells, and [`run_as_compiler`], with which
//! its `main` begins; [`Drill`] is there for measurements. The rest is the program's own. An embedder turns the default features
//! off: `cli` is the program, `simulator` adds `aviary simulate`, `demo` and `dev` to it, and `workshop` adds `new`, `build` and
//! `dev`.
//!
//! Modules are listed lowest layer first; a module uses only those above it in this list. `tests/tidy.rs` holds them
//! to it.
#![allow(
    unreachable_pub,
    reason = "in a module that is not public, `pub` says what the other modules may use"
)]
#![cfg_attr(
    not(all(feature = "cli", feature = "simulator", feature = "workshop")),
    allow(dead_code, unused_imports, reason = "some functions are there for commands only")
)]

mod printable;
#[cfg(feature = "cli")]
mod terminal;
mod small_file;
mod secret;
mod setting;
mod open_files;
mod deadline;
mod clock;
mod first_poll;
pub mod steps;
pub mod record;
mod tape;
mod shutdown;
pub mod callback;
pub mod telemetry;
mod trace;
mod tls;
mod store;
mod journal;
mod bindings;
mod open_api;
mod capability;
mod runtime;
mod plugin;
mod folder;
mod inbox;
mod dispatch;
mod ingress;
mod config;
mod admin;
mod app;
#[cfg(feature = "cli")]
mod doctor;
#[cfg(any(feature = "simulator", feature = "workshop"))]
mod guest_build;
#[cfg(feature = "workshop")]
mod workshop;
#[cfg(feature = "simulator")]
mod stage;
#[cfg(feature = "simulator")]
mod demo;
#[cfg(all(feature = "simulator", feature = "workshop"))]
mod dev;
#[cfg(feature = "cli")]
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
pub use crate::folder::drill::Drill;
pub use crate::folder::drill::DrillError;
pub use crate::folder::report;
pub use crate::runtime::compiler::compile_with;
pub use crate::runtime::compiler::run_as_compiler;
pub use crate::setting::SettingError;
