//! The operations of the inbox on the server.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::store::error::StoreError;
use crate::store::inbox::Batch;
use crate::store::inbox::Bounds;
use crate::store::inbox::Changed;
use crate::store::inbox::Claim;
use crate::store::inbox::EntryId;
use crate::store::inbox::InboxBackend;
use crate::store::inbox::Listed;
use crate::store::inbox::NewEntry;
use crate::store::inbox::Put;
use crate::store::inbox::QueueFigures;
use crate::store::inbox::Settle;
use crate::store::inbox::ShownEntry;
use crate::store::inbox::Verdict;
use crate::store::inbox::Want;
use crate::store::server::ServerStore;

impl InboxBackend for ServerStore {
    fn put_entry(&self, new: NewEntry, bounds: Bounds) -> BoxFuture<'_, Result<Put, StoreError>> {
        self.inbox.put(self.connection.clone(), new, bounds).boxed()
    }

    fn claim(&self, app: String, wants: Vec<Want>) -> BoxFuture<'_, Result<Batch, StoreError>> {
        self.inbox.claim(self.connection.clone(), app, wants).boxed()
    }

    fn renew(&self, app: String, claims: Vec<Claim>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inbox.renew(self.connection.clone(), app, claims).boxed()
    }

    fn settle(&self, claim: Claim, how: Settle) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inbox.settle(self.connection.clone(), claim, how).boxed()
    }

    fn figures(&self, app: String) -> BoxFuture<'_, Result<Vec<QueueFigures>, StoreError>> {
        self.inbox.figures(self.connection.clone(), app).boxed()
    }

    fn list(&self, app: String) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.inbox.list(self.connection.clone(), app).boxed()
    }

    fn show(
        &self,
        app: String,
        id: EntryId,
    ) -> BoxFuture<'_, Result<Option<ShownEntry>, StoreError>> {
        self.inbox.show(self.connection.clone(), app, id).boxed()
    }

    fn change(
        &self,
        app: String,
        id: EntryId,
        verdict: Verdict,
    ) -> BoxFuture<'_, Result<Changed, StoreError>> {
        self.inbox.change(self.connection.clone(), app, id, verdict).boxed()
    }
}
