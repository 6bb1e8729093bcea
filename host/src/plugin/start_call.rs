//! Starts the calls of a plugin, and counts their results.

use std::sync::Arc;

use crate::capability::access::PluginId;
use crate::deadline::Deadline;
use crate::plugin::breaker::CallVerdict;
use crate::plugin::breaker::Change;
use crate::plugin::breaker::Pass;
use crate::plugin::loaded::Plugin;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::CallReport;
use crate::runtime::call::run::CallThreads;
use crate::runtime::call::run::Task;
use crate::runtime::call::running_call::RunningCall;
use crate::runtime::engine::GuestEngine;

/// Starts a call. `place` is dropped when the call has ended, which may be long after its callback was answered.
pub fn start(
    engine: &GuestEngine,
    plugin: Arc<Plugin>,
    task: Task,
    pass: Pass,
    place: impl Send + 'static,
) -> RunningCall {
    let (threads, unit, deadline) =
        (CallThreads::of(engine), Arc::clone(plugin.unit()), task.deadline);
    RunningCall::begin(engine, &unit, async move {
        let ended_well =
            |report: &CallReport| plugin.conclude(pass, report, deadline) == CallVerdict::Good;
        let report = plugin.unit().run(threads, task, ended_well).await;
        drop(place);
        report
    })
}

impl Plugin {
    /// Counts the call, and pauses the plugin after too many failures.
    fn conclude(&self, pass: Pass, report: &CallReport, deadline: Deadline) -> CallVerdict {
        let now = report.timing.ended;
        let verdict = report.result.as_ref().map_or_else(verdict, |_| CallVerdict::Good);
        let usage = self.usage();
        if report.timing.fresh {
            usage.record_instance();
        }
        usage.record(report.fuel, verdict == CallVerdict::Failed);
        // Work on an event may take minutes, and says nothing about how long an answer takes.
        if verdict == CallVerdict::Good && now < deadline.soft().min(deadline.given_up()) {
            usage.record_duration(now - report.timing.began);
        }
        let PluginId { app, name: plugin, version } = self.id();
        match pass.settle(verdict, now) {
            None => {}
            Some(Change::Paused(scope, pause)) => {
                let reason = report.result.as_ref().err().map(ToString::to_string);
                let (seconds, scope) = (pause.as_secs_f64(), scope.as_str());
                tracing::error!(%app, %plugin, %version, seconds, reason, whom = scope, "plugin: paused");
            }
            Some(Change::Resumed(scope)) => {
                let scope = scope.as_str();
                tracing::info!(%app, %plugin, %version, whom = scope, "plugin: resumed");
            }
        }
        verdict
    }
}

/// Tells which errors count as failures of the plugin.
fn verdict(error: &CallError) -> CallVerdict {
    match error {
        // Most languages report a crash by their exit code. A command that wants to tell the user something replies with a
        // toast.
        CallError::Exit { .. }
        | CallError::OutOfFuel { .. }
        | CallError::OutOfMemory { .. }
        | CallError::Stopped
        | CallError::Trap { .. }
        | CallError::ReplyTooLarge { .. }
        | CallError::Unreadable(_) => CallVerdict::Failed,
        // The plugin works, and reports a failure of something else.
        CallError::User(_) | CallError::Internal(_) => CallVerdict::Good,
        CallError::HostMemory | CallError::NoRoom(_) => CallVerdict::Neither,
    }
}
