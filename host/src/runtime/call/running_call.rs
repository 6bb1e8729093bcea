//! A call under way: where it runs, and how its report is had.
//!
//! A healthy call takes some microseconds, and handing it to another thread and its report back takes longer than that. So
//! a call of a plugin that has been quick begins on the thread that its callback came in on. There it has one slice of time;
//! what it has not done by then it does on a guest thread, and so do all calls of its plugin until one has been quick
//! again. However many runaways there are, I/O waits for one slice of one of them.

use std::future::Ready;
use std::future::ready;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::first_poll::Begun;
use crate::first_poll::begin;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::CallReport;
use crate::runtime::engine::GuestEngine;
use crate::runtime::unit::Unit;

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
    pub fn begin(
        engine: &GuestEngine,
        unit: &Unit,
        call: impl Future<Output = CallReport> + Send + 'static,
    ) -> Self {
        if !unit.hint.is_quick() {
            return Self(Progress::OnGuestThread(engine.threads().spawn(call)));
        }
        Self(match begin(call) {
            Begun::Over(report) => Progress::Over(ready(Box::new(report))),
            Begun::Waits(call) => {
                unit.hint.record_unfinished();
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
