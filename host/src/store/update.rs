//! A card update that was promised: everything that another process needs to keep the promise.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::clock::since_epoch;

/// How long an update token is good for, by the platform's documentation.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Its number. The order of the numbers is the order of the promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpdateId(pub(super) u64);

impl UpdateId {
    /// Numbers begin with the milliseconds at which the process began, so many bits further up: no process promises a
    /// million updates in a millisecond, and so none repeats the number of an earlier one.
    pub(super) const SPARE_BITS: u32 = 20;
}

/// What happens to an update.
#[derive(Clone, Debug)]
pub(super) enum UpdateChange {
    /// It was promised.
    Put {
        /// Which app's card it is.
        app: String,
        /// The update, as JSON.
        bytes: Vec<u8>,
    },
    /// The platform may have it.
    Attempted,
    /// It has not.
    NotTaken,
    /// It has come to an end.
    Done,
}

/// One card that shall be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingUpdate {
    /// Which app's card it is.
    pub app: String,
    /// Whose card it is: a store app has a token for each tenant.
    #[serde(default)]
    pub tenant: String,
    /// The callback that it belongs to, for the log.
    pub event_id: Option<String>,
    /// `c-…`
    pub token: String,
    /// As `card/update` takes it.
    pub card: String,
    /// When the callback arrived, in milliseconds since the Unix epoch: the token ends half an hour later.
    pub received_ms: u64,
}

/// One that an earlier process has left.
#[derive(Clone, Debug)]
pub struct StoredUpdate {
    /// Its number.
    pub id: UpdateId,
    /// What it is.
    pub update: PendingUpdate,
    /// Whether the platform may have it already.
    pub attempted: bool,
}

impl PendingUpdate {
    /// What is left of its token's time.
    pub fn time_left(&self) -> Duration {
        let ends = Duration::from_millis(self.received_ms) + TOKEN_LIFETIME;
        ends.saturating_sub(since_epoch())
    }

    /// How long ago its callback arrived. A clock that was set back makes it young, and the token's time is the
    /// platform's to judge then.
    pub fn age(&self) -> Duration {
        since_epoch().saturating_sub(Duration::from_millis(self.received_ms))
    }
}
