//! The inbox in the file: the entries, their bodies, and the room that each plugin's take.

use redb::ReadTransaction;
use redb::ReadableTable as _;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;
use serde::Deserialize;
use serde::Serialize;

use crate::clock::now_ms;
use crate::store::file::inbox_index::Effect;
use crate::store::file::inbox_index::LanePlace;
use crate::store::file::marks::FileMarks;
use crate::store::file::marks::MarkWrite;
use crate::store::inbox::Bounds;
use crate::store::inbox::EntryHead;
use crate::store::inbox::EntryId;
use crate::store::inbox::Listed;
use crate::store::inbox::NewEntry;
use crate::store::inbox::PluginQueue;
use crate::store::inbox::Put;
use crate::store::inbox::Room;
use crate::store::inbox::Settle;
use crate::store::inbox::ShownEntry;
use crate::store::inbox::Verdict;
use crate::store::inbox::Whose;

/// Number → the entry without its body, as JSON.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("inbox");
/// Number → body. In a table apart, so that a failed try does not write it again.
const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("inbox-bodies");
/// App and plugin → entries and bytes.
const USAGE: TableDefinition<'_, (&str, &str), (u64, u64)> = TableDefinition::new("inbox-usage");
/// A single row: the number of the next entry.
const NEXT: TableDefinition<'_, (), u64> = TableDefinition::new("inbox-next");

/// An entry as it is stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct InboxRow {
    app: String,
    plugin: String,
    lane: String,
    head: EntryHead,
    /// Bytes of the body.
    size: u64,
    /// Times that somebody has begun to work on it, as far as the file knows.
    attempts: u32,
    failures: u32,
    reason: Option<String>,
    aside: bool,
}

impl InboxRow {
    fn queue(&self) -> PluginQueue {
        PluginQueue { app: self.app.clone(), plugin: self.plugin.clone() }
    }

    fn place(&self, id: EntryId) -> LanePlace {
        LanePlace { queue: self.queue(), lane: self.lane.clone(), id }
    }

    fn listed(self, id: EntryId) -> Listed {
        let Self { plugin, lane, head, attempts, failures, reason, aside, .. } = self;
        Listed { id, plugin, lane, aside, attempts, failures, reason, head }
    }
}

/// One change that waits for its transaction.
#[derive(Debug)]
pub(super) enum InboxWrite {
    Put { new: Box<NewEntry>, bounds: Bounds },
    Settle { id: EntryId, how: Settle },
    Change { id: EntryId, verdict: Verdict },
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InboxChange {
    Put(Put),
    /// False if the entry is unknown.
    Changed(bool),
}

pub(super) struct FileInbox<'a> {
    entries: Table<'a, u64, &'static [u8]>,
    bodies: Table<'a, u64, &'static [u8]>,
    usage: Table<'a, (&'static str, &'static str), (u64, u64)>,
    next: Table<'a, (), u64>,
    /// What the index has to be told once the transaction is committed.
    pub(super) effects: Vec<Effect>,
}

impl<'a> FileInbox<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            bodies: transaction.open_table(BODIES)?,
            usage: transaction.open_table(USAGE)?,
            next: transaction.open_table(NEXT)?,
            effects: Vec::new(),
        })
    }

    /// Counts the entries that an earlier process has left as begun once more, because it may have begun them, and tells the
    /// index of all entries.
    pub(super) fn take_over(&mut self) -> Result<(), redb::Error> {
        let mut left = Vec::new();
        for entry in self.entries.iter()? {
            let (id, bytes) = entry?;
            match named_fields::from_slice::<InboxRow>(bytes.value()) {
                Ok(row) => left.push((id.value(), row)),
                Err(error) => {
                    let id = id.value();
                    tracing::error!(id, %error, "an unreadable entry of the inbox is left alone");
                }
            }
        }
        for (id, mut row) in left {
            let (place, bytes) = (row.place(id), row.size);
            if row.aside {
                self.effects.push(Effect::Kept { place, bytes });
                continue;
            }
            row.attempts += 1;
            self.write(id, &row)?;
            let received_ms = row.head.received_ms;
            self.effects.push(Effect::Queued { place, received_ms, bytes });
        }
        Ok(())
    }

    pub(super) fn apply(
        &mut self,
        write: &InboxWrite,
        marks: &mut FileMarks<'_>,
    ) -> Result<InboxChange, redb::Error> {
        match write {
            InboxWrite::Put { new, bounds } => self.put(new, bounds, marks).map(InboxChange::Put),
            InboxWrite::Settle { id, how } => self.settle(*id, how).map(InboxChange::Changed),
            InboxWrite::Change { id, verdict } => {
                self.change(*id, *verdict).map(InboxChange::Changed)
            }
        }
    }

    fn put(
        &mut self,
        new: &NewEntry,
        bounds: &Bounds,
        marks: &mut FileMarks<'_>,
    ) -> Result<Put, redb::Error> {
        for mark in &new.marks {
            if marks.has(mark.as_str())? {
                return Ok(Put::Repeated);
            }
        }
        let PluginQueue { app, plugin } = &new.queue;
        let size = new.body.len() as u64;
        if let Some(whose) = self.full(&new.queue, size, bounds)? {
            return Ok(Put::Full(whose));
        }
        let until_ms = now_ms() + u64::try_from(new.remembered.as_millis()).unwrap_or(0);
        for mark in &new.marks {
            let mark = mark.as_str().to_owned();
            marks.apply(&MarkWrite { mark, answer: Vec::new(), until_ms })?;
        }
        let id = self.next.get(())?.map_or(1, |next| next.value());
        self.next.insert((), id + 1)?;
        let row = InboxRow {
            app: app.clone(),
            plugin: plugin.clone(),
            lane: new.lane.clone(),
            head: new.head.clone(),
            size,
            attempts: 0,
            failures: 0,
            reason: None,
            aside: false,
        };
        self.write(id, &row)?;
        self.bodies.insert(id, &new.body[..])?;
        self.count(&row, |(entries, bytes)| (entries + 1, bytes + size))?;
        let received_ms = new.head.received_ms;
        self.effects.push(Effect::Queued { place: row.place(id), received_ms, bytes: size });
        Ok(Put::Stored)
    }

    /// Returns whose room the entry would not fit into.
    fn full(
        &self,
        queue: &PluginQueue,
        size: u64,
        bounds: &Bounds,
    ) -> Result<Option<Whose>, redb::Error> {
        let (mut of_app, mut of_plugin) = ((0, 0), (0, 0));
        for usage in self.usage.range((queue.app.as_str(), "")..)? {
            let (key, used) = usage?;
            let ((app, plugin), (entries, bytes)) = (key.value(), used.value());
            if app != queue.app {
                break;
            }
            of_app = (of_app.0 + entries, of_app.1 + bytes);
            if plugin == queue.plugin {
                of_plugin = (entries, bytes);
            }
        }
        let is_full = |(entries, bytes): (u64, u64), room: Room| {
            entries >= room.entries || bytes.saturating_add(size) > room.bytes
        };
        Ok(if is_full(of_plugin, bounds.plugin) {
            Some(Whose::Plugin)
        } else {
            is_full(of_app, bounds.app).then_some(Whose::App)
        })
    }

    fn settle(&mut self, id: EntryId, how: &Settle) -> Result<bool, redb::Error> {
        let Some(mut row) = self.row(id)? else { return Ok(false) };
        let place = row.place(id);
        match how {
            Settle::Done => {
                self.remove(id, &row)?;
                self.effects.push(Effect::Done { place, bytes: row.size });
            }
            Settle::Again { reason, .. } => {
                row.attempts += 1;
                row.failures += 1;
                row.reason = Some(reason.clone());
                self.write(id, &row)?;
            }
            Settle::Aside { reason } => {
                row.attempts += 1;
                row.failures += 1;
                row.reason = Some(reason.clone());
                row.aside = true;
                self.write(id, &row)?;
                self.effects.push(Effect::SetAside { place });
            }
            // The index alone knows of claims.
            Settle::Release { .. } => {}
        }
        Ok(true)
    }

    fn change(&mut self, id: EntryId, verdict: Verdict) -> Result<bool, redb::Error> {
        let Some(mut row) = self.row(id)? else { return Ok(false) };
        let place = row.place(id);
        match verdict {
            Verdict::Retry if !row.aside => return Ok(false),
            Verdict::Retry => {
                (row.aside, row.failures) = (false, 0);
                self.write(id, &row)?;
                let received_ms = row.head.received_ms;
                self.effects.push(Effect::Requeued { place, received_ms });
            }
            Verdict::Drop => {
                self.remove(id, &row)?;
                self.effects.push(Effect::Forgotten { place, bytes: row.size });
            }
        }
        Ok(true)
    }

    fn row(&self, id: EntryId) -> Result<Option<InboxRow>, redb::Error> {
        Ok(self.entries.get(id)?.and_then(|bytes| named_fields::from_slice(bytes.value()).ok()))
    }

    fn write(&mut self, id: EntryId, row: &InboxRow) -> Result<(), redb::Error> {
        // A row is text and numbers, which JSON always takes.
        let bytes = serde_json::to_vec(row).unwrap_or_default();
        self.entries.insert(id, bytes.as_slice())?;
        Ok(())
    }

    fn remove(&mut self, id: EntryId, row: &InboxRow) -> Result<(), redb::Error> {
        self.entries.remove(id)?;
        self.bodies.remove(id)?;
        let size = row.size;
        self.count(row, |(entries, bytes)| (entries.saturating_sub(1), bytes.saturating_sub(size)))
    }

    fn count(
        &mut self,
        row: &InboxRow,
        change: impl FnOnce((u64, u64)) -> (u64, u64),
    ) -> Result<(), redb::Error> {
        let key = (row.app.as_str(), row.plugin.as_str());
        let used = self.usage.get(key)?.map(|used| used.value()).unwrap_or_default();
        match change(used) {
            (0, _) => drop(self.usage.remove(key)?),
            used => drop(self.usage.insert(key, used)?),
        }
        Ok(())
    }
}

/// An entry that is to be worked on, as the file has it.
pub(super) struct FoundEntry {
    pub(super) head: EntryHead,
    pub(super) body: Vec<u8>,
    pub(super) attempts: u32,
    pub(super) failures: u32,
}

/// Reads an entry and its body.
pub(super) fn get(
    transaction: &ReadTransaction,
    id: EntryId,
) -> Result<Option<FoundEntry>, redb::Error> {
    let Some(row) = read(transaction, id)? else { return Ok(None) };
    let InboxRow { head, attempts, failures, .. } = row;
    Ok(Some(FoundEntry { head, body: body(transaction, id)?, attempts, failures }))
}

/// Reads these entries; one that is gone meanwhile is left out.
pub(super) fn list(
    transaction: &ReadTransaction,
    ids: &[EntryId],
) -> Result<Vec<Listed>, redb::Error> {
    let mut listed = Vec::with_capacity(ids.len());
    for id in ids {
        listed.extend(read(transaction, *id)?.map(|row| row.listed(*id)));
    }
    Ok(listed)
}

/// Reads one entry of the app with its body.
pub(super) fn show(
    transaction: &ReadTransaction,
    app: &str,
    id: EntryId,
) -> Result<Option<ShownEntry>, redb::Error> {
    let Some(row) = read(transaction, id)?.filter(|row| row.app == app) else { return Ok(None) };
    Ok(Some((row.listed(id), body(transaction, id)?)))
}

/// Returns the place of an entry of the app, and whether it was set aside.
pub(super) fn place(
    transaction: &ReadTransaction,
    app: &str,
    id: EntryId,
) -> Result<Option<(LanePlace, bool)>, redb::Error> {
    let row = read(transaction, id)?.filter(|row| row.app == app);
    Ok(row.map(|row| (row.place(id), row.aside)))
}

fn read(transaction: &ReadTransaction, id: EntryId) -> Result<Option<InboxRow>, redb::Error> {
    let entries = transaction.open_table(ENTRIES)?;
    let found = entries.get(id)?;
    Ok(found.and_then(|bytes| named_fields::from_slice(bytes.value()).ok()))
}

fn body(transaction: &ReadTransaction, id: EntryId) -> Result<Vec<u8>, redb::Error> {
    let bodies = transaction.open_table(BODIES)?;
    Ok(bodies.get(id)?.map(|body| body.value().to_vec()).unwrap_or_default())
}
