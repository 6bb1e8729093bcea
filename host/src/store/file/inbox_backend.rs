//! The operations of the inbox in the file. Claims are in memory, because one host has the file for itself.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::future::ready;

use crate::store::bucket::WriteError;
use crate::store::error::StoreError;
use crate::store::file::FileStore;
use crate::store::file::WriteAnswer;
use crate::store::file::WriteTask;
use crate::store::file::inbox;
use crate::store::file::inbox::FoundEntry;
use crate::store::file::inbox::InboxChange;
use crate::store::file::inbox::InboxWrite;
use crate::store::file::inbox_index::LanePlace;
use crate::store::inbox::Batch;
use crate::store::inbox::Bounds;
use crate::store::inbox::Changed;
use crate::store::inbox::Claim;
use crate::store::inbox::EntryId;
use crate::store::inbox::InboxBackend;
use crate::store::inbox::LISTED;
use crate::store::inbox::Listed;
use crate::store::inbox::NewEntry;
use crate::store::inbox::PluginQueue;
use crate::store::inbox::Put;
use crate::store::inbox::QueueFigures;
use crate::store::inbox::Settle;
use crate::store::inbox::ShownEntry;
use crate::store::inbox::TakenEntry;
use crate::store::inbox::Verdict;
use crate::store::inbox::Want;

impl FileStore {
    async fn write(&self, write: InboxWrite) -> Result<InboxChange, StoreError> {
        match self.perform(WriteTask::Inbox(write)).await {
            Ok(WriteAnswer::Inbox(change)) => Ok(change),
            Err(WriteError::Store(error)) => Err(error),
            // The thread answers every change of the inbox in kind.
            Ok(WriteAnswer::Made | WriteAnswer::Sum(_)) | Err(_) => Err(StoreError::Closed),
        }
    }

    /// Reads what was claimed, and gives it back if that fails.
    async fn read_claimed(&self, claimed: Vec<LanePlace>) -> Result<Vec<TakenEntry>, StoreError> {
        let ids: Vec<_> = claimed.iter().map(|place| place.id).collect();
        let read = self
            .read(move |transaction| {
                ids.iter().map(|id| inbox::get(transaction, *id)).collect::<Result<Vec<_>, _>>()
            })
            .await;
        let found = match read {
            Ok(found) => found,
            Err(error) => {
                let mut index = self.inbox.lock();
                for LanePlace { queue, lane, .. } in &claimed {
                    index.release(queue, lane, Duration::from_secs(1));
                }
                return Err(error);
            }
        };
        let taken = claimed.into_iter().zip(found).filter_map(|(place, found)| {
            let LanePlace { queue, lane, id } = place;
            let FoundEntry { head, body, attempts, failures } = found?;
            let claim = Claim { queue, lane, id, token: String::new() };
            Some(TakenEntry { claim, head, body, attempt: attempts + 1, failures })
        });
        Ok(taken.collect())
    }
}

impl InboxBackend for FileStore {
    fn put_entry(&self, new: NewEntry, bounds: Bounds) -> BoxFuture<'_, Result<Put, StoreError>> {
        async move {
            match self.write(InboxWrite::Put { new: Box::new(new), bounds }).await? {
                InboxChange::Put(put) => Ok(put),
                InboxChange::Changed(_) => Err(StoreError::Closed),
            }
        }
        .boxed()
    }

    fn claim(&self, app: String, wants: Vec<Want>) -> BoxFuture<'_, Result<Batch, StoreError>> {
        async move {
            let (mut claimed, mut next) = (Vec::new(), None);
            {
                let mut index = self.inbox.lock();
                for Want { plugin, most } in wants {
                    let queue = PluginQueue { app: app.clone(), plugin };
                    claimed.extend(index.claim(&queue, most));
                    next = next.into_iter().chain(index.next(&queue)).min();
                }
            }
            if claimed.is_empty() {
                return Ok(Batch { taken: Vec::new(), next });
            }
            Ok(Batch { taken: self.read_claimed(claimed).await?, next })
        }
        .boxed()
    }

    fn renew(&self, _app: String, _claims: Vec<Claim>) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }

    fn settle(&self, claim: Claim, how: Settle) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let Claim { queue, lane, id, .. } = claim;
            let after = match &how {
                Settle::Release { after } => {
                    self.inbox.lock().release(&queue, &lane, *after);
                    return Ok(());
                }
                Settle::Again { after, .. } => Some(*after),
                // The lane is free as soon as the change is committed.
                Settle::Done | Settle::Aside { .. } => None,
            };
            self.write(InboxWrite::Settle { id, how }).await?;
            if let Some(after) = after {
                self.inbox.lock().release(&queue, &lane, after);
            }
            Ok(())
        }
        .boxed()
    }

    fn figures(&self, app: String) -> BoxFuture<'_, Result<Vec<QueueFigures>, StoreError>> {
        ready(Ok(self.inbox.lock().figures(&app))).boxed()
    }

    fn list(&self, app: String) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        let ids = self.inbox.lock().ids(&app, LISTED);
        self.read(move |transaction| inbox::list(transaction, &ids)).boxed()
    }

    fn show(
        &self,
        app: String,
        id: EntryId,
    ) -> BoxFuture<'_, Result<Option<ShownEntry>, StoreError>> {
        self.read(move |transaction| inbox::show(transaction, &app, id)).boxed()
    }

    fn change(
        &self,
        app: String,
        id: EntryId,
        verdict: Verdict,
    ) -> BoxFuture<'_, Result<Changed, StoreError>> {
        async move {
            let found = self.read(move |transaction| inbox::place(transaction, &app, id)).await?;
            let Some((place, is_aside)) = found else { return Ok(Changed::Unknown) };
            let is_free = match verdict {
                Verdict::Retry => is_aside,
                Verdict::Drop => is_aside || self.inbox.lock().withdraw(&place),
            };
            if !is_free {
                return Ok(Changed::UnderWay);
            }
            match self.write(InboxWrite::Change { id, verdict }).await? {
                InboxChange::Changed(true) => Ok(Changed::Yes),
                InboxChange::Changed(false) | InboxChange::Put(_) => Ok(Changed::Unknown),
            }
        }
        .boxed()
    }
}
