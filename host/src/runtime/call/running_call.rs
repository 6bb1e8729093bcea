//! A running call: the thread it runs on, and the way to get its report.
//!
//! A healthy call takes some microseconds, less than handing it to another thread and its report back. So a call of a plugin
//! that was quick before begins on the thread that its callback arrived on. It has one slice of time there. A call that is not
//! finished by then moves to a guest thread, and all calls of its plugin begin there until one has been quick again. However
//! many runaways there are, I/O waits for one slice of one of them.

use std::future::Ready;
use std::future::ready;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::first_poll::FirstPoll;
use crate::first_poll::begin;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::CallReport;
use crate::runtime::engine::GuestEngine;
use crate::runtime::unit::Unit;

/// A call that has begun. Dropping this does not stop the call; its hard deadline does.
#[derive(Debug)]
pub struct RunningCall(Progress);

#[derive(Debug)]
enum Progress {
    Over(Ready<Box<CallReport>>),
    OnGuestThread(JoinHandle<CallReport>),
}

impl RunningCall {
    /// Begins a call, on this thread or on a guest thread.
    pub fn begin(
        engine: &GuestEngine,
        unit: &Unit,
        call: impl Future<Output = CallReport> + Send + 'static,
    ) -> Self {
        if !unit.hint.is_quick() {
            return Self(Progress::OnGuestThread(engine.threads().spawn(call)));
        }
        Self(match begin(call) {
            FirstPoll::Over(report) => Progress::Over(ready(Box::new(report))),
            FirstPoll::Waits(call) => {
                unit.hint.record_unfinished();
                Progress::OnGuestThread(engine.threads().spawn(call))
            }
            FirstPoll::Panicked => Progress::Over(ready(Box::new(lost(&"it panicked")))),
        })
    }

    /// Waits until then for the report. Cancel safe: a late reply is received by asking again.
    pub async fn report_by(&mut self, until: Instant) -> Option<CallReport> {
        match &mut self.0 {
            Progress::Over(report) => Some(*report.await),
            Progress::OnGuestThread(_) => tokio::time::timeout_at(until, self.report()).await.ok(),
        }
    }

    /// Waits for the report, at most until the callback's hard deadline.
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
