//! A card update that was promised, with everything that another process needs to keep the promise.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::clock::since_epoch;

/// Lifetime of an update token, by the platform's documentation.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Number of an update. The order of the numbers is the order of the promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpdateId(pub(super) u64);

impl UpdateId {
    /// Ids begin with the milliseconds at which the process began, shifted left by this many bits: no process promises a
    /// million updates in a millisecond, so no id repeats one of an earlier process.
    pub(super) const SPARE_BITS: u32 = 20;
}

/// A change to a stored update.
#[derive(Clone, Debug)]
pub(super) enum UpdateChange {
    /// The update was promised.
    Put {
        /// The app whose card it is.
        app: String,
        /// The update, as JSON.
        bytes: Vec<u8>,
    },
    /// The platform may have the update.
    Attempted,
    /// The platform does not have the update.
    NotTaken,
    /// The update was shown or given up.
    Done,
}

/// A card that was promised and is not shown yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingUpdate {
    /// The app whose card it is.
    pub app: String,
    /// The tenant whose card it is: a store app has a token for each tenant.
    #[serde(default)]
    pub tenant: String,
    /// The callback that promised it, for the log.
    pub event_id: Option<String>,
    /// The update token, `c-…`.
    pub token: String,
    /// The card as JSON, in the form that `card/update` takes.
    pub card: String,
    /// Arrival of the callback, in milliseconds since the Unix epoch. The token ends half an hour later.
    pub received_ms: u64,
}

/// An update that an earlier process or another host has left.
#[derive(Clone, Debug)]
pub struct StoredUpdate {
    /// The number of the update.
    pub id: UpdateId,
    /// The update itself.
    pub update: PendingUpdate,
    /// True if the platform may have the update already.
    pub attempted: bool,
}

impl PendingUpdate {
    /// Returns the remaining lifetime of its token.
    pub fn time_left(&self) -> Duration {
        let ends = Duration::from_millis(self.received_ms) + TOKEN_LIFETIME;
        ends.saturating_sub(since_epoch())
    }

    /// Returns the time since its callback arrived. After the clock was set back the age is too small; then the platform
    /// decides whether the token has ended.
    pub fn age(&self) -> Duration {
        since_epoch().saturating_sub(Duration::from_millis(self.received_ms))
    }
}
