//! Who asks: one app, as the platform knows it.

use std::num::NonZeroU32;

use lark_wire::domain::Domain;
use lark_wire::secret::Secret;
use serde::Deserialize;

use crate::open_api::rate_limit::Rate;

/// How an app comes to its tenants, which decides how it gets their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// Made by the tenant that it is for: its id and its secret are enough.
    #[default]
    SelfBuilt,
    /// From the store, for many tenants: the platform sends it a ticket, and every tenant has a token of its own.
    Store,
}

/// An app and what it proves itself with.
#[derive(Clone, Debug)]
pub struct AppIdentity {
    /// `cli_…`
    pub id: String,
    /// The app secret.
    pub secret: Secret,
    /// How it comes to its tenants.
    pub kind: AppKind,
    /// Where it lives.
    pub domain: Domain,
}

/// `api` of an app: how much all of its plugins together may ask of the server API. What the host itself asks, card updates
/// above all, does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiRate {
    /// Requests in a second. Most of the platform's interfaces take fifty, and plugins use several of them.
    per_second: NonZeroU32,
    /// Requests in a minute. Likewise a thousand.
    per_minute: NonZeroU32,
}

impl Default for ApiRate {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { per_second: number(100), per_minute: number(3000) }
    }
}

impl ApiRate {
    /// The most that makes sense. The host remembers the requests of the last minute.
    pub const MOST: u32 = 100_000;

    /// Whether both numbers make sense.
    pub fn is_sound(self) -> bool {
        self.per_second.get() <= Self::MOST && self.per_minute.get() <= Self::MOST
    }

    /// As a limit.
    pub fn rate(self) -> Rate {
        Rate { in_a_second: self.per_second.get(), in_a_minute: self.per_minute.get() as usize }
    }
}
