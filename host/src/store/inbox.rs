//! The inbox as it is stored: entries that were acknowledged and are not done yet.
//!
//! The entries of one plugin that share an order key are in one *lane*: one of them is worked on at a time, in the order in which
//! they were put in. Whoever works on an entry has *claimed* its lane. On a server a claim is a lease that its host renews; a
//! claim whose lease has ended goes to the next host that asks.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde::Serialize;

use crate::record::Door;
use crate::store::error::StoreError;
use crate::store::marks::Mark;

/// Interval at which a host renews its claims, and looks for entries that other hosts have left.
pub const RENEWAL: Duration = Duration::from_secs(1);
/// Most entries in one list.
pub const LISTED: usize = 200;

/// Number of an entry among those of its app. Later entries have larger numbers.
pub type EntryId = u64;

/// What brought an entry into the inbox.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntrySource {
    /// The platform sent an event.
    Event,
}

/// The entries of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginQueue {
    /// Id of the app.
    pub app: String,
    /// Name of the plugin.
    pub plugin: String,
}

/// The facts about an entry that never change.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct EntryHead {
    /// What brought it here.
    pub source: EntrySource,
    /// The door that it came in by.
    pub door: Door,
    /// Id of the event; `None` if the platform gave none.
    pub event_id: Option<String>,
    /// The type of the event.
    pub event_type: String,
    /// Arrival, in milliseconds since the Unix epoch.
    pub received_ms: u64,
}

/// An entry that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The plugin that it is for.
    pub queue: PluginQueue,
    /// Its order key.
    pub lane: String,
    /// The facts about it.
    pub head: EntryHead,
    /// What its handler is given.
    pub body: Bytes,
    /// The names under which it is remembered. An entry that shares one with an earlier entry is a repetition.
    pub marks: Vec<Mark>,
    /// Time for which the names are remembered.
    pub remembered: Duration,
}

/// Room for entries, those that are set aside included.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Most entries.
    pub entries: u64,
    /// Most bytes of all their bodies together.
    pub bytes: u64,
}

/// The room of an app, and of one plugin within it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Room for all entries of the app.
    pub app: Room,
    /// Room for the entries of the plugin.
    pub plugin: Room,
}

/// The result of putting an entry in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It would survive the end of this process.
    Stored,
    /// An entry of the same name was stored before.
    Repeated,
    /// There is no room.
    Full(Whose),
}

/// Whose room is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of the app.
    App,
    /// That of the plugin.
    Plugin,
}

/// How many entries of a plugin a host would work on now.
#[derive(Clone, Debug)]
pub struct Want {
    /// Name of the plugin.
    pub plugin: String,
    /// Most entries.
    pub most: usize,
}

/// The right to work on an entry, and so on its lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The plugin.
    pub queue: PluginQueue,
    /// The lane that is claimed.
    pub lane: String,
    /// The entry.
    pub id: EntryId,
    /// Tells this claim from later ones of the same lane.
    pub(super) token: String,
}

/// An entry that is to be worked on now.
#[derive(Clone, Debug)]
pub struct TakenEntry {
    /// The right to do so, which has to be settled.
    pub claim: Claim,
    /// The facts about the entry.
    pub head: EntryHead,
    /// What its handler is given.
    pub body: Vec<u8>,
    /// 1 for the first time that somebody works on it. More than 1 says that a handler may have seen it before.
    pub attempt: u32,
    /// Earlier tries that failed.
    pub failures: u32,
}

/// Entries that were taken, and when to ask again.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// One entry of each lane.
    pub taken: Vec<TakenEntry>,
    /// Time until another entry may be worked on; `None` if none waits for its time.
    pub next: Option<Duration>,
}

/// How work on an entry ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    /// The entry is done, and is forgotten.
    Done,
    /// It failed, and is tried again.
    Again {
        /// Time until then. The rest of its lane waits as long.
        after: Duration,
        /// Why it failed.
        reason: String,
    },
    /// It failed for good, and is set aside for an operator. The rest of its lane goes on.
    Aside {
        /// Why it failed.
        reason: String,
    },
    /// The work did not begin, or was broken off by the host: no try counts.
    Release {
        /// Time until somebody should try again.
        after: Duration,
    },
}

/// The entries of a plugin in numbers.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct QueueFigures {
    /// Name of the plugin.
    pub plugin: String,
    /// Entries that are to be worked on, those under way included.
    pub waiting: u64,
    /// Entries that are being worked on, on all hosts.
    pub working: u64,
    /// Entries that were set aside.
    pub aside: u64,
    /// Bytes of all their bodies.
    pub bytes: u64,
    /// Arrival of the oldest entry that is not set aside, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<u64>,
}

/// An entry as an operator sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Listed {
    /// Number of the entry.
    pub id: EntryId,
    /// The plugin that it is for.
    pub plugin: String,
    /// Its order key.
    pub lane: String,
    /// True if it was set aside.
    pub aside: bool,
    /// How often somebody has begun to work on it.
    pub attempts: u32,
    /// How often that failed.
    pub failures: u32,
    /// Why it failed the last time.
    pub reason: Option<String>,
    /// The facts about it.
    #[serde(flatten)]
    pub head: EntryHead,
}

/// An entry as an operator sees it, with its body.
pub type ShownEntry = (Listed, Vec<u8>);

/// An operator's decision on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An entry that was set aside is tried again, with a clean record.
    Retry,
    /// The entry is forgotten.
    Drop,
}

/// The result of an operator's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done.
    Yes,
    /// There is no such entry.
    Unknown,
    /// The entry is being worked on, or waits for it.
    UnderWay,
}

/// The inbox of a store. [`Store`](crate::store::Store) documents each method.
pub(super) trait InboxBackend {
    fn put_entry(&self, new: NewEntry, bounds: Bounds) -> BoxFuture<'_, Result<Put, StoreError>>;

    fn claim(&self, app: String, wants: Vec<Want>) -> BoxFuture<'_, Result<Batch, StoreError>>;

    fn renew(&self, app: String, claims: Vec<Claim>) -> BoxFuture<'_, Result<(), StoreError>>;

    fn settle(&self, claim: Claim, how: Settle) -> BoxFuture<'_, Result<(), StoreError>>;

    fn figures(&self, app: String) -> BoxFuture<'_, Result<Vec<QueueFigures>, StoreError>>;

    fn list(&self, app: String) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>>;

    fn show(
        &self,
        app: String,
        id: EntryId,
    ) -> BoxFuture<'_, Result<Option<ShownEntry>, StoreError>>;

    fn change(
        &self,
        app: String,
        id: EntryId,
        verdict: Verdict,
    ) -> BoxFuture<'_, Result<Changed, StoreError>>;
}
