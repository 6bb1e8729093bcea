//! The inbox: what starts a handler without anybody waiting for its answer is stored, acknowledged, and worked on for as long as
//! it takes. Today these are events; whatever comes later (a timer, a request of another system) is one more
//! [`EntrySource`](crate::store::inbox::EntrySource).
//!
//! [`entry`] makes an entry of an event. [`workers`] takes entries out and hands them to a [`Worker`](workers::Worker). [`tries`]
//! decides on those that failed. The store keeps the order, the claims, and everything that has to survive.

pub mod body;
pub mod config;
pub mod entry;
pub mod lane;
pub mod places;
pub mod report;
pub mod tries;
pub mod workers;

use std::collections::BTreeSet;
use std::sync::Arc;

use aviary_state::Mutex;
use tokio::sync::Notify;

use crate::inbox::config::InboxConfig;
use crate::inbox::places::WorkPlaces;
use crate::plugin::config::work::WorkConfig;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::inbox::Bounds;
use crate::store::inbox::NewEntry;
use crate::store::inbox::Put;
use crate::store::inbox::Room;

/// The inbox of one app; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox {
    app: Arc<str>,
    store: Store,
    room: Room,
    places: Arc<WorkPlaces>,
    /// Told whenever there may be something to do.
    news: Arc<Notify>,
    /// The plugins whose figures the metrics show.
    shown: Arc<Mutex<BTreeSet<String>>>,
}

impl Inbox {
    /// Opens the inbox of an app. Its entries are in `store`, and `places` limits the work of all apps together.
    pub fn new(app: Arc<str>, store: Store, config: InboxConfig, places: Arc<WorkPlaces>) -> Self {
        let (news, shown) = Default::default();
        Self { app, store, room: config.room(), places, news, shown }
    }

    /// Returns the id of the app.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Stores an entry for a plugin with that policy. Resolves once the entry would survive the end of this process.
    pub async fn put(&self, entry: NewEntry, work: &WorkConfig) -> Result<Put, StoreError> {
        let half = |all: u64| all.div_ceil(2);
        let plugin = Room {
            entries: work.entries.unwrap_or_else(|| half(self.room.entries)),
            bytes: work.bytes.unwrap_or_else(|| half(self.room.bytes)),
        };
        let put = self.store.put_entry(entry, Bounds { app: self.room, plugin }).await?;
        if put == Put::Stored {
            self.news.notify_one();
        }
        Ok(put)
    }
}
