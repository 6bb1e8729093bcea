//! Works on an event of the inbox: the same steps as for a callback, but nobody waits for the answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::callback::model::Callback;
use crate::callback::plain;
use crate::callback::reply::Outgoing;
use crate::deadline::Deadline;
use crate::dispatch::Arrived;
use crate::dispatch::Dispatcher;
use crate::dispatch::EndedCall;
use crate::dispatch::Handled;
use crate::dispatch::NotStarted;
use crate::dispatch::gate::not_too_old;
use crate::dispatch::route;
use crate::folder::canary::Canary;
use crate::inbox::body;
use crate::inbox::tries;
use crate::inbox::tries::Failure;
use crate::inbox::workers::Ready;
use crate::inbox::workers::Worker;
use crate::plugin::decision::Decision;
use crate::plugin::decision::decide;
use crate::plugin::loaded::Plugin;
use crate::record::Door;
use crate::record::Outcome;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::CallReport;
use crate::runtime::call::report::Handler;
use crate::steps::Steps;
use crate::store::inbox::Settle;
use crate::store::inbox::TakenEntry;

/// Pause before an entry is tried again for which there was no place.
const NO_PLACE: Duration = Duration::from_secs(1);
/// Exit code of a command whose input is at fault, as in `sysexits.h`: another try would fail as well.
const BAD_INPUT: i32 = 65;

/// The plugin that works on an event.
struct Chosen {
    plugin: Arc<Plugin>,
    handler: Handler,
    canary: Option<Arc<Canary>>,
}

impl Worker for Dispatcher {
    fn ready(&self) -> Vec<Ready> {
        let snapshot = self.registry.snapshot();
        let plugins = snapshot.live().plugins().iter();
        plugins
            .map(|plugin| Ready { plugin: plugin.name().to_owned(), calls: plugin.limits().calls })
            .collect()
    }

    fn work(&self, taken: TakenEntry) -> BoxFuture<'static, Settle> {
        let dispatcher = self.clone();
        async move { dispatcher.work_on(taken).await }.boxed()
    }
}

impl Dispatcher {
    async fn work_on(&self, taken: TakenEntry) -> Settle {
        let callback = match read(&taken) {
            Ok(callback) => Arc::new(callback),
            Err(error) => {
                return Settle::Aside { reason: format!("the stored event is damaged: {error}") };
            }
        };
        let Some(Chosen { plugin, handler, canary }) = self.choose(&callback) else {
            return Settle::Aside { reason: "no plugin takes this event any more".to_owned() };
        };
        let (door, failures) = (taken.head.door, taken.failures);
        let deadline = Deadline::of_work(Instant::now(), plugin.policy().work.time());
        if let Err(decision) = not_too_old(&plugin, &callback) {
            let handled = Handled { plugin: Some(&plugin), decision, call: None };
            self.told(arrived(callback, door, deadline), handled);
            return Settle::Done;
        }
        let (mut handled, failure) = match self.call(&plugin, handler, &callback, deadline).await {
            Ok(ended) => ended,
            Err(NotStarted::Paused(paused)) => {
                return Settle::Release { after: paused.left.max(NO_PLACE) };
            }
            Err(NotStarted::NotAdmitted(_)) => return Settle::Release { after: NO_PLACE },
        };
        if let Some(canary) = &canary {
            let took = handled.call.as_ref().map(|call| call.timing.took());
            canary.record(&plugin, handled.decision.outcome, took);
        }
        let settle = match failure {
            None => Settle::Done,
            // The host had no memory for the call, which is not the event's fault.
            Some(_) if handled.decision.outcome == Outcome::Overload => {
                Settle::Release { after: NO_PLACE }
            }
            Some(failure) => {
                let (settle, words) = tries::after(failure, failures, &plugin.policy().work);
                handled.decision.reason = Some(words);
                settle
            }
        };
        self.told(arrived(callback, door, deadline), handled);
        settle
    }

    /// Chooses the plugin. The snapshot is let go, so that work that takes an hour does not keep old versions in memory.
    fn choose(&self, callback: &Callback) -> Option<Chosen> {
        let snapshot = self.registry.snapshot();
        let (picked, canary) = route::pick_version(&snapshot, callback)?;
        let (plugin, canary) = (Arc::clone(picked.plugin), canary.cloned());
        Some(Chosen { plugin, handler: picked.handler, canary })
    }

    /// Calls the plugin, and waits for as long as it may work. Also returns why it failed, if it did.
    async fn call<'a>(
        &self,
        plugin: &'a Arc<Plugin>,
        handler: Handler,
        callback: &Arc<Callback>,
        deadline: Deadline,
    ) -> Result<(Handled<'a>, Option<Failure>), NotStarted> {
        let tape = self.tape(deadline);
        let mut running = self.start(plugin, handler, callback, deadline, tape.clone()).await?;
        let CallReport { result, fuel, deferred, timing } = running.report().await;
        let is_final =
            matches!(result, Err(CallError::User(_) | CallError::Exit { code: BAD_INPUT, .. }));
        let decision = decide(callback, result);
        let failure = failure(&decision, is_final);
        let (told, updates) = (tape.take(), deferred);
        let call = Some(EndedCall { fuel, timing, told, by: handler, updates });
        Ok((Handled { plugin: Some(plugin), decision, call }, failure))
    }

    /// Passes the record to the observers and the journal.
    fn told(&self, arrived: Arrived, handled: Handled<'_>) {
        let (_, draft) = self.report(arrived, handled);
        if let Some((journal, draft)) = self.journal.as_ref().zip(draft) {
            journal.submit(draft);
        }
    }
}

fn read(taken: &TakenEntry) -> Result<Callback, Box<dyn std::error::Error + Send + Sync>> {
    let body = std::str::from_utf8(&taken.body)?;
    Ok(plain::read(body::for_handler(body, taken.attempt)?)?)
}

fn arrived(callback: Arc<Callback>, door: Door, deadline: Deadline) -> Arrived {
    Arrived { callback, door, deadline, steps: Steps::starting(deadline.received()) }
}

/// Returns the failure that a decision stands for; `None` if the plugin has handled the event.
fn failure(decision: &Decision, is_final: bool) -> Option<Failure> {
    let Outgoing::Redeliver = decision.reply.outgoing() else { return None };
    let reason = decision.reason.clone().unwrap_or_else(|| "the plugin failed".to_owned());
    Some(Failure { reason, is_final })
}
