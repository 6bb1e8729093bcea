//! The identity of one app, as the platform knows it.

use std::num::NonZeroU32;

use lark_wire::domain::Domain;
use lark_wire::secret::Secret;
use serde::Deserialize;

use crate::open_api::rate_limit::Rate;

/// The way in which tenants get the app. It decides how the app gets their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// Made by the tenant that uses it: its id and its secret are enough.
    #[default]
    SelfBuilt,
    /// From the store, for many tenants: the platform sends it a ticket, and every tenant has a token of its own.
    Store,
}

/// An app and the secret that authenticates it.
#[derive(Clone, Debug)]
pub struct AppIdentity {
    /// The app id, `cli_…`.
    pub id: String,
    /// The app secret.
    pub secret: Secret,
    /// The way in which tenants get the app.
    pub kind: AppKind,
    /// The platform's domain on which the app exists.
    pub domain: Domain,
}

/// `api` of an app: how many requests all of its plugins together may make to the server API. The host's own requests, above
/// all card updates, do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiRate {
    /// Requests per second. Most of the platform's interfaces take fifty, and plugins use several of them.
    per_second: NonZeroU32,
    /// Requests per minute. Most of the platform's interfaces take a thousand.
    per_minute: NonZeroU32,
}

impl Default for ApiRate {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { per_second: number(100), per_minute: number(3000) }
    }
}

impl ApiRate {
    /// Upper limit of both numbers. The host remembers the requests of the last minute.
    pub const MOST: u32 = 100_000;

    /// Returns whether both numbers are within `MOST`.
    pub fn is_sound(self) -> bool {
        self.per_second.get() <= Self::MOST && self.per_minute.get() <= Self::MOST
    }

    /// Converts the configured numbers into a rate limit.
    pub fn rate(self) -> Rate {
        Rate { in_a_second: self.per_second.get(), in_a_minute: self.per_minute.get() as usize }
    }
}
