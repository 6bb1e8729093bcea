//! Takes entries out of the inbox and has them worked on, until the host stops. What is under way then has some time to end;
//! what does not end goes back, for the next process or another host.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::inbox::Inbox;
use crate::shutdown::Shutdown;
use crate::store::inbox::Batch;
use crate::store::inbox::Claim;
use crate::store::inbox::PluginQueue;
use crate::store::inbox::RENEWAL;
use crate::store::inbox::Settle;
use crate::store::inbox::TakenEntry;
use crate::store::inbox::Want;
use crate::telemetry::metrics;

/// Time that work under way has to end when the host stops. The host itself waits a little longer.
const ENDING: Duration = Duration::from_secs(20);
/// Pause after a failure of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// A plugin whose entries may be worked on.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Name of the plugin.
    pub plugin: String,
    /// Its `limits.calls`.
    pub calls: u32,
}

/// Works on entries.
pub trait Worker: Send + Sync + 'static {
    /// Returns the plugins that are live. Entries of others wait.
    fn ready(&self) -> Vec<Ready>;

    /// Works on one entry, and decides what becomes of it.
    fn work(&self, taken: TakenEntry) -> BoxFuture<'static, Settle>;
}

/// Has the entries of an inbox worked on.
pub async fn run(inbox: Inbox, worker: Arc<dyn Worker>, shutdown: Shutdown) {
    loop {
        let next = match inbox.store.claim(&inbox.app, wants(&inbox, &*worker)).await {
            Ok(Batch { taken, next }) => {
                for taken in taken {
                    begin(&inbox, &*worker, taken, &shutdown);
                }
                next.unwrap_or(RENEWAL).min(RENEWAL)
            }
            Err(error) => {
                tracing::error!(app = %inbox.app, %error, "inbox: cannot take entries out, trying again");
                metrics::record_store_failure();
                STORE_PAUSE
            }
        };
        tokio::select! {
            // Cancel safe: all only wait.
            () = shutdown.begun() => return,
            () = inbox.news.notified() => {}
            () = tokio::time::sleep(next) => {}
        }
    }
}

fn wants(inbox: &Inbox, worker: &dyn Worker) -> Vec<Want> {
    let wants = worker.ready().into_iter().map(|Ready { plugin, calls }| {
        let queue = PluginQueue { app: inbox.app.to_string(), plugin };
        let most = inbox.places.free(&queue, calls) as usize;
        Want { plugin: queue.plugin, most }
    });
    wants.filter(|want| want.most > 0).collect()
}

fn begin(inbox: &Inbox, worker: &dyn Worker, taken: TakenEntry, shutdown: &Shutdown) {
    let claim = taken.claim.clone();
    let place = inbox.places.take(&claim.queue);
    let work = worker.work(taken);
    let (inbox, stopping) = (inbox.clone(), shutdown.clone());
    shutdown.spawn(async move {
        let how = tokio::select! {
            how = work => how,
            // The call is given up, and its guest ends with the process.
            () = has_ended(&stopping) => Settle::Release { after: Duration::ZERO },
            never = renew(&inbox, &claim) => match never {},
        };
        settle(&inbox, &claim, how, &stopping).await;
        drop(place);
        inbox.news.notify_one();
    });
}

/// Resolves once the host has been stopping for long.
async fn has_ended(shutdown: &Shutdown) {
    shutdown.begun().await;
    tokio::time::sleep(ENDING).await;
}

/// Tells the store how the work ended, until it knows. A host that ends before leaves the entry to be worked on again.
async fn settle(inbox: &Inbox, claim: &Claim, how: Settle, shutdown: &Shutdown) {
    let result = match &how {
        Settle::Done => "done",
        Settle::Again { .. } => "again",
        Settle::Aside { .. } => "set_aside",
        Settle::Release { .. } => "released",
    };
    metrics::record_inbox_try(&inbox.app, &claim.queue.plugin, result);
    while let Err(error) = inbox.store.settle(claim, how.clone()).await {
        let (app, id) = (&*inbox.app, claim.id);
        tracing::error!(app, id, %error, "inbox: the end of an entry is not stored yet, trying again");
        metrics::record_store_failure();
        if shutdown.has_begun() {
            return;
        }
        tokio::time::sleep(STORE_PAUSE).await;
    }
}

/// Renews the claim, so that no other host takes the entry over.
async fn renew(inbox: &Inbox, claim: &Claim) -> Infallible {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = inbox.store.renew(&inbox.app, vec![claim.clone()]).await {
            let (app, id) = (&*inbox.app, claim.id);
            tracing::warn!(app, id, %error, "inbox: cannot renew the claim of an entry");
            metrics::record_store_failure();
        }
    }
}
