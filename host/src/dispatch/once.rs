//! Once only: an event that is sent again, a button that is clicked twice. The first has the plugin; the others wait for
//! what it is told, and are told the same.
//!
//! Link previews are never here: each viewer's client asks for itself, and all of them want an answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::callback::reply::Reply;
use crate::store::Store;
use crate::store::marks::Begun;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::telemetry::metrics;

/// How often a host asks whether another one is done. Mostly nobody waits for another host.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What a call may take besides its own time: a host that is gone for longer has not done it.
const GRACE: Duration = Duration::from_secs(10);

/// What of one app's is under way on this host, and the way to what is remembered.
#[derive(Clone, Debug)]
pub(super) struct Once {
    store: Store,
    running: Arc<Mutex<HashMap<Mark, watch::Receiver<Running>>>>,
}

/// How far somebody's attempt is. When its sender is gone, it is over.
#[derive(Clone, Debug)]
enum Running {
    Yes,
    Done(Vec<u8>),
}

/// What to do with something that shall happen once.
#[derive(Debug)]
pub(super) enum Entered {
    /// It happens now; the ticket is to say how it ended.
    First(Ticket),
    /// It has happened, and this was said.
    Before(Reply),
    /// It is happening, and there is no time to wait for it.
    Meanwhile,
}

/// The right to be first. Dropped without a word, it was a failure, and the next one may try.
#[derive(Debug)]
pub(super) struct Ticket {
    once: Once,
    mark: Mark,
    keep: Duration,
    running: watch::Sender<Running>,
    is_settled: bool,
}

impl Once {
    pub(super) fn new(store: Store) -> Self {
        Self { store, running: Arc::default() }
    }

    /// Whoever comes first with that mark is told so; it may take until `until`. Others wait until `patience` is over.
    pub(super) async fn enter(
        &self,
        mark: &Mark,
        keep: Duration,
        until: Instant,
        patience: Instant,
    ) -> Entered {
        loop {
            let running = match self.join(mark, keep) {
                Ok(ticket) => match self.begin(ticket, until, patience).await {
                    Some(entered) => return entered,
                    // Another host has failed at it, or is gone.
                    None => continue,
                },
                Err(running) => running,
            };
            match ended(running, patience).await {
                None => return Entered::Meanwhile,
                Some(Running::Done(answer)) => return before(&answer),
                Some(Running::Yes) => {}
            }
        }
    }

    fn join(&self, mark: &Mark, keep: Duration) -> Result<Ticket, watch::Receiver<Running>> {
        let mut all = self.running.lock();
        if let Some(running) = all.get(mark) {
            return Err(running.clone());
        }
        let (sender, receiver) = watch::channel(Running::Yes);
        all.insert(mark.clone(), receiver);
        let (once, mark) = (self.clone(), mark.clone());
        Ok(Ticket { once, mark, keep, running: sender, is_settled: false })
    }

    /// First on this host: is there another? None: there was, and it failed.
    async fn begin(
        &self,
        mut ticket: Ticket,
        until: Instant,
        patience: Instant,
    ) -> Option<Entered> {
        loop {
            let lease = until.saturating_duration_since(Instant::now()) + GRACE;
            match self.store.begin(&ticket.mark, lease).await {
                Ok(Begun::Now) => return Some(Entered::First(ticket)),
                Ok(Begun::Done(answer)) => {
                    ticket.is_settled = true;
                    // Nobody on this host may be waiting.
                    let _ = ticket.running.send(Running::Done(answer.clone()));
                    return Some(before(&answer));
                }
                Ok(Begun::Elsewhere) => {}
                // Twice is better than never.
                Err(error) => {
                    tracing::error!(%error, "cannot see whether this has happened before");
                    metrics::record_store_failure();
                    return Some(Entered::First(ticket));
                }
            }
            let next = Instant::now() + LOOK_AGAIN;
            if next > patience {
                ticket.is_settled = true;
                return Some(Entered::Meanwhile);
            }
            tokio::time::sleep_until(next).await;
        }
    }
}

/// What came of it, if that is known by then.
async fn ended(mut running: watch::Receiver<Running>, patience: Instant) -> Option<Running> {
    let done = running.wait_for(|running| matches!(running, Running::Done(_)));
    match tokio::time::timeout_at(patience, done).await {
        Err(_elapsed) => None,
        Ok(Ok(done)) => Some(done.clone()),
        Ok(Err(_gone)) => Some(Running::Yes),
    }
}

fn before(answer: &[u8]) -> Entered {
    Entered::Before(Reply::remembered(answer))
}

impl Ticket {
    /// It has happened. Resolves once that would survive the end of this process, or cannot be waited for any longer.
    pub(super) async fn done(mut self, reply: &Reply, until: Instant) {
        let Some(answer) = reply.to_remember() else { return };
        self.is_settled = true;
        let ended = Ended::Done { answer: answer.clone(), keep: self.keep };
        match tokio::time::timeout_at(until, self.once.store.end(&self.mark, ended)).await {
            Ok(result) => complain(result),
            Err(_elapsed) => {
                tracing::warn!("the store is slow: what has happened may happen again")
            }
        }
        // Nobody on this host may be waiting.
        let _ = self.running.send(Running::Done(answer));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut all = self.once.running.lock();
        all.remove(&self.mark);
        drop(all);
        if self.is_settled {
            return;
        }
        let (store, mark) = (self.once.store.clone(), self.mark.clone());
        // Without a runtime the process is ending, and the mark ends with its lease.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { complain(store.end(&mark, Ended::Failed).await) });
        }
    }
}

fn complain(result: Result<(), crate::store::StoreError>) {
    if let Err(error) = result {
        tracing::error!(%error, "what has happened is not remembered, and may happen again");
        metrics::record_store_failure();
    }
}
