//! One of the latest callbacks: the contents of its log line, and its steps.

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

/// Most bytes of an id, a type or a reason. Others wrote those texts, and the log has more of them.
const MOST_TEXT: usize = 300;
/// Most host calls that are kept of one callback.
const MOST_CALLS: usize = 64;

/// One of the latest callbacks.
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
            // The moment of the decision, computed without reading the clock again.
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

    /// Returns the callback as JSON, with its age instead of a time, because clocks may be set meanwhile.
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
