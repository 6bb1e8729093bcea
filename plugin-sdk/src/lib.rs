//! The library for authors of Aviary plugins: the contract's types with constructors, the functions that a plugin may call, and
//! [`export!`], which turns plain functions into the plugin's handlers. The host does not use this crate; it has bindings of its
//! own.
//!
//! A plugin is a library crate that is built as a WebAssembly component. This one is complete:
//!
//! ```
//! use aviary_sdk::{CardAction, CardReply, Failure, Toast};
//!
//! aviary_sdk::export!(card_action: on_click);
//!
//! fn on_click(action: CardAction) -> Result<CardReply, Failure> {
//!     let value = action.action.value_json()?;
//!     let order = value["order"].as_str().ok_or_else(|| Failure::user("No such order"))?;
//!     Ok(Toast::success(format!("Order {order} approved")).with("zh_cn", "已批准").into())
//! }
//! ```
//!
//! with `crate-type = ["cdylib"]` in its `Cargo.toml`, built by
//! `cargo build --release --target wasm32-wasip2`, and dropped into the host's plugin folder.
//!
//! # What a handler can rely on
//!
//! * It runs in an instance of its own unless the operator chose otherwise: keep no state in statics.
//! * It may take [`request::remaining`]; then the host answers without it, and what it returns later
//!   becomes an update of the card. The platform itself waits three seconds.
//! * It never sees a credential, and reaches only what the operator granted: [`open_api`], [`config`],
//!   [`key_value`], [`http`], [`log`], [`deferred`].
//! * A panic ends this one call. The user sees the host's own words, and the log has the message.
//! * It does not parse JSON unless it asks to: `action.tag` and its neighbours are plain fields, while
//!   [`Action::value_json`], [`Event::body_json`] and [`request::raw_json`] parse when they are called.
//!
//! # Testing
//!
//! Handlers are plain functions over plain types, so `cargo test` calls them natively. Functions that ask
//! the host ([`request`], [`deferred`], [`config`], [`key_value`], [`sealed`], [`http`],
//! [`open_api::call`]) panic there; [`log`] writes to
//! standard error.

pub mod card;
pub mod config;
pub mod deferred;
pub mod http;
pub mod json;
pub mod key_value;
pub mod log;
pub mod message;
pub mod open_api;
pub mod request;
pub mod sealed;

// Public only because `export!` names it from other crates.
#[doc(hidden)]
pub mod bindings;

mod action;
mod event;
mod export;
mod failure;
mod info;
mod preview;
mod reply;
mod template;
mod toast;
mod translation;

pub use crate::bindings::info::exports::lark::callback::plugin_info::Info;
pub use crate::bindings::info::exports::lark::callback::plugin_info::Route;
pub use crate::bindings::lark::callback::types::Action;
pub use crate::bindings::lark::callback::types::Card;
pub use crate::bindings::lark::callback::types::CardAction;
pub use crate::bindings::lark::callback::types::CardReply;
pub use crate::bindings::lark::callback::types::CardTemplate;
pub use crate::bindings::lark::callback::types::CustomReply;
pub use crate::bindings::lark::callback::types::Event;
pub use crate::bindings::lark::callback::types::Failure;
pub use crate::bindings::lark::callback::types::Header;
pub use crate::bindings::lark::callback::types::InlinePreview;
pub use crate::bindings::lark::callback::types::Json;
pub use crate::bindings::lark::callback::types::LegacyReply;
pub use crate::bindings::lark::callback::types::LinkUrls;
pub use crate::bindings::lark::callback::types::Location;
pub use crate::bindings::lark::callback::types::Operator;
pub use crate::bindings::lark::callback::types::PreviewReply;
pub use crate::bindings::lark::callback::types::PreviewRequest;
pub use crate::bindings::lark::callback::types::Toast;
pub use crate::bindings::lark::callback::types::ToastKind;
pub use crate::bindings::lark::callback::types::Translations;

/// For `json!` and `Value`, so that a plugin need not name a version of its own.
pub use serde_json;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
