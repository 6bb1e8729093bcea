//! Answers an event that is sent again, or a button that is clicked twice, only once. The first callback gets the plugin; the
//! others wait for its answer and get the same.
//!
//! Link previews never come here: each viewer's client asks for itself, and all of them want an answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::callback::reply::Reply;
use crate::store::Store;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::marks::MarkState;
use crate::telemetry::metrics;

/// The interval at which a host asks the store whether another host is done, which is rarely needed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Time that a call may take besides its own limit. A host that takes longer counts as gone, and its attempt as failed.
const GRACE: Duration = Duration::from_secs(10);

/// The attempts under way on this host for one app, and the store of answered callbacks.
#[derive(Clone, Debug)]
pub(super) struct Once {
    store: Store,
    running: Arc<Mutex<HashMap<Mark, watch::Receiver<Running>>>>,
}

/// The state of an attempt. A dropped sender means that it failed.
#[derive(Clone, Debug)]
enum Running {
    Yes,
    Done(Vec<u8>),
}

/// The decision on a callback that may be answered only once.
#[derive(Debug)]
pub(super) enum Entered {
    /// This callback is the first; the ticket has to be told its answer.
    First(Ticket),
    /// It was answered before; this is the same answer.
    Before(Reply),
    /// It is being answered, and there is no time left to wait.
    Meanwhile,
}

/// The right to be first. Dropping it without `done` means failure, and the next callback may try.
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

    /// Enters with a mark. The first one gets a ticket and has until `until`; others wait for its answer until `patience`.
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
                    // The attempt of another host failed, or that host is gone.
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

    /// Asks the store whether another host is first. `None` if one was, and failed.
    async fn begin(
        &self,
        mut ticket: Ticket,
        until: Instant,
        patience: Instant,
    ) -> Option<Entered> {
        loop {
            let lease = until.saturating_duration_since(Instant::now()) + GRACE;
            match self.store.begin(&ticket.mark, lease).await {
                Ok(MarkState::Now) => return Some(Entered::First(ticket)),
                Ok(MarkState::Done(answer)) => {
                    ticket.is_settled = true;
                    // Sending fails if nobody on this host waits.
                    let _ = ticket.running.send(Running::Done(answer.clone()));
                    return Some(before(&answer));
                }
                Ok(MarkState::Elsewhere) => {}
                // Without the store the callback is answered now: twice is better than never.
                Err(error) => {
                    tracing::error!(%error, "store: cannot check for a duplicate event");
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

/// Waits for an attempt on this host. `None` if it is still running at `patience`; `Running::Yes` if it failed.
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
    /// Stores the answer. Resolves once it would survive the end of this process, or at `until`.
    pub(super) async fn done(mut self, reply: &Reply, until: Instant) {
        let Some(answer) = reply.to_remember() else { return };
        self.is_settled = true;
        let ended = Ended::Done { answer: answer.clone(), keep: self.keep };
        match tokio::time::timeout_at(until, self.once.store.end(&self.mark, ended)).await {
            Ok(result) => report_store_error(result),
            Err(_elapsed) => {
                tracing::warn!("store: slow, duplicate delivery is possible")
            }
        }
        // Sending fails if nobody on this host waits.
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
        // Without a runtime the process is ending; the mark then ends with its lease.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { report_store_error(store.end(&mark, Ended::Failed).await) });
        }
    }
}

fn report_store_error(result: Result<(), crate::store::StoreError>) {
    if let Err(error) = result {
        tracing::error!(%error, "store: once-only mark not written, a repeated event may be handled again");
        metrics::record_store_failure();
    }
}
