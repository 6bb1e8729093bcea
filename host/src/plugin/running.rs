//! A call under way: where it runs, and how its report is had.
//!
//! A healthy call takes some microseconds, and handing it to another thread and its report back takes longer than that. So
//! a call of a plugin that has been quick begins on the thread that its callback came in on. There it has one slice of time;
//! what it has not done by then it does on a guest thread, and so do all calls of its plugin until one has been quick
//! again. However many runaways there are, I/O waits for one slice of one of them.

use std::future::Ready;
use std::future::ready;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::first_poll::Begun;
use crate::first_poll::begin;
use crate::plugin::call_error::CallError;
use crate::plugin::call_report::CallReport;
use crate::plugin::engine::GuestEngine;

/// Time that I/O can do without: about as long as a guest runs before it gives way.
const QUICK: Duration = Duration::from_micros(150);

/// Whether calls of a plugin are quick, as far as its latest ones tell.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicBool);

impl Pace {
    /// A call that has ended had a thread for that long. A plugin that was never called is not known to be quick.
    pub(super) fn record(&self, used: Duration) {
        self.0.store(used < QUICK, Ordering::Relaxed);
    }

    /// A call had its slice and has not ended.
    fn record_unfinished(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A call that has begun. Dropping it does not stop the call; the call's own time does.
#[derive(Debug)]
pub struct RunningCall(Progress);

#[derive(Debug)]
enum Progress {
    Over(Ready<Box<CallReport>>),
    OnGuestThread(JoinHandle<CallReport>),
}

impl RunningCall {
    /// Begins it, here or on a guest thread.
    pub(super) fn begin(
        engine: &GuestEngine,
        pace: &Pace,
        call: impl Future<Output = CallReport> + Send + 'static,
    ) -> Self {
        if !pace.is_quick() {
            return Self(Progress::OnGuestThread(engine.threads().spawn(call)));
        }
        Self(match begin(call) {
            Begun::Over(report) => Progress::Over(ready(Box::new(report))),
            Begun::Waits(call) => {
                pace.record_unfinished();
                Progress::OnGuestThread(engine.threads().spawn(call))
            }
            Begun::Panicked => Progress::Over(ready(Box::new(lost(&"it panicked")))),
        })
    }

    /// Its report, if there is one by then. Cancel safe: asking again later is how a late reply is had.
    pub async fn report_by(&mut self, until: Instant) -> Option<CallReport> {
        match &mut self.0 {
            Progress::Over(report) => Some(*report.await),
            Progress::OnGuestThread(_) => tokio::time::timeout_at(until, self.report()).await.ok(),
        }
    }

    /// Its report, however long it takes: at most the callback's hard deadline.
    pub async fn report(&mut self) -> CallReport {
        match &mut self.0 {
            Progress::Over(report) => *report.await,
            Progress::OnGuestThread(call) => call.await.unwrap_or_else(|error| lost(&error)),
        }
    }
}

fn lost(error: &dyn std::fmt::Display) -> CallReport {
    CallReport::without_end(CallError::lost(error))
}
