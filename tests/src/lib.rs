//! The harness of the end-to-end tests: starts the real binary, plays the platform, builds the guests. Nothing in here
//! decides whether the host behaved; that is for the tests in `e2e/`.

pub mod artifacts;
pub mod browser;
pub mod cases;
pub mod certificates;
mod child;
pub mod collector;
pub mod command;
pub mod configuration;
pub mod desk;
pub mod eventually;
pub mod excuse;
pub mod host;
pub mod http;
pub mod log;
pub mod matrix;
pub mod metrics;
pub mod platform;
pub mod proxy;
pub mod redis;
pub mod referee;
pub mod relay;
pub mod schema;
pub mod sender;
pub mod setup;
pub mod usage;
pub mod vectors;
pub mod web_server;
pub mod wire;

use std::time::Duration;

/// Time limit for something that has to happen. Only a failing test ever waits this long; it is generous because two test
/// threads, a compiler and several hosts may share two cores.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The app that the captured vectors are addressed to.
pub const APP_ID: &str = "cli_0123456789abcdef";
/// The tenant in the captured vectors.
pub const TENANT_KEY: &str = "2df73991750b1234";
/// The app secret of the host. Recognisable, so that a leak into a log is found by searching for it.
pub const APP_SECRET: &str = "e2e-app-secret-XK41bq";
/// The Verification Token that the captured vectors carry.
pub const VERIFICATION_TOKEN: &str = "066zT6pS4QCbgj5Do145GfDbbagCHGgF";
/// The Encrypt Key that the captured vectors are encrypted and signed with.
pub const ENCRYPT_KEY: &str = "test_encrypt_key_32chars_abcdefg!";
