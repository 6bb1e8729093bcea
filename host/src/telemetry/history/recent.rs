//! One of the latest callbacks: what the line of the log says of it, and where its time went.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::record::CallbackRecord;
use crate::record::Door;
use crate::record::HostCallTime;
use crate::record::Outcome;
use crate::record::PluginVersion;
use crate::steps::Steps;

/// Bytes of an id, of a type, and of a reason. Somebody else wrote them, and the log has all of them.
const MOST_TEXT: usize = 300;
/// Calls of the host that are kept of one callback.
const MOST_CALLS: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Recent {
    pub(super) at: Instant,
    app: Arc<str>,
    door: Door,
    event_id: Option<Box<str>>,
    event_type: Box<str>,
    plugin: Option<PluginVersion>,
    fuel: Option<u64>,
    took: Duration,
    outcome: Outcome,
    reason: Option<Box<str>>,
    steps: Steps,
    host_calls: Arc<[HostCallTime]>,
    more_calls: usize,
}

impl Recent {
    pub(super) fn of(record: &CallbackRecord) -> Self {
        let more_calls = record.host_calls.len().saturating_sub(MOST_CALLS);
        let host_calls = match record.host_calls.get(..MOST_CALLS) {
            Some(first) if more_calls > 0 => first.into(),
            _ => Arc::clone(&record.host_calls),
        };
        Self {
            // When it was decided, without another look at the clock.
            at: record.steps.began() + record.elapsed,
            app: Arc::clone(&record.app),
            door: record.door,
            event_id: record.event_id.as_deref().map(cut),
            event_type: cut(&record.event_type),
            plugin: record.plugin.clone(),
            fuel: record.fuel,
            took: record.elapsed,
            outcome: record.outcome,
            reason: record.reason.as_deref().map(cut),
            steps: record.steps.clone(),
            host_calls,
            more_calls,
        }
    }

    /// With its age, because clocks may be set meanwhile.
    pub fn to_json(&self, number: u64) -> Value {
        let steps: Vec<_> = self
            .steps
            .spans()
            .map(|(step, span)| json!({ "step": step.as_str(), "at_us": span.at_us, "took_us": span.took_us }))
            .collect();
        let calls: Vec<_> = self
            .host_calls
            .iter()
            .map(|HostCallTime { call, span }| json!({ "call": call, "at_us": span.at_us, "took_us": span.took_us }))
            .collect();
        json!({
            "number": number,
            "age_ms": u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX),
            "app": &*self.app,
            "door": self.door.as_str(),
            "event_id": self.event_id,
            "type": self.event_type,
            "plugin": self.plugin.as_ref().map(|plugin| &*plugin.name),
            "version": self.plugin.as_ref().map(|plugin| &*plugin.version),
            "fuel": self.fuel,
            "ms": self.took.as_secs_f64() * 1000.0,
            "outcome": self.outcome.as_str(),
            "failed": self.outcome.is_failure(),
            "reason": self.reason,
            "steps": steps,
            "host_calls": calls,
            "more_host_calls": self.more_calls,
        })
    }
}

fn cut(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(MOST_TEXT)].into()
}
