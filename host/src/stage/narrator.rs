//! Tells the simulator's page about the host: the record of each callback, and the plugins that are live.

use std::sync::Arc;
use std::time::Duration;

use lark_simulator::host_words::Surroundings;
use serde_json::Value;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::folder::event::FolderEvent;
use crate::record::CallbackRecord;
use crate::stage::Stage;
use crate::steps::Step;

/// Interval at which a record is checked for the time that sending took. The record comes when the answer is decided, and sending
/// ends a moment later; a notification of that would cost every callback something.
const SENT_LOOK: Duration = Duration::from_millis(1);
/// Time limit for that check. An answer that nobody takes is never sent.
const SENT_WITHIN: Duration = Duration::from_millis(100);

impl Stage {
    /// Tells the page everything, for as long as the future is polled.
    pub async fn narrate(&self) {
        let plugins = async {
            let mut changes = self.follow_plugins();
            loop {
                self.tell_of_plugins();
                if !has_changed(&mut changes).await {
                    return;
                }
            }
        };
        tokio::join!(self.tell_of_callbacks(self.observe()), plugins);
    }

    /// Tells the page what is live, so that it knows a new version before it is shown that version's answers.
    pub fn tell_of_plugins(&self) {
        let webhook = self.webhook_url();
        let plugins = json!(self.plugin_list());
        self.platform.tell_surroundings(Surroundings { webhook, plugins });
    }

    async fn tell_of_callbacks(&self, mut records: Receiver<Arc<CallbackRecord>>) {
        loop {
            match records.recv().await {
                Ok(record) => {
                    if let Some(event_id) = &record.event_id {
                        let words = describe(&record, self.deadline).await;
                        self.platform.tell_of_callback(event_id.clone(), words);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Waits until some plugin has changed. Returns `false` if none can change any more.
pub async fn has_changed(changes: &mut Receiver<FolderEvent>) -> bool {
    match changes.recv().await {
        // The kind of change does not matter to a caller that looks at all plugins then.
        Ok(_) | Err(RecvError::Lagged(_)) => true,
        Err(RecvError::Closed) => false,
    }
}

async fn describe(record: &CallbackRecord, deadline: Duration) -> Value {
    let until = Instant::now() + SENT_WITHIN;
    let is_sent = || record.steps.spans().any(|(step, _)| step == Step::Send);
    while !is_sent() && Instant::now() < until {
        tokio::time::sleep(SENT_LOOK).await;
    }
    let steps = record
        .steps
        .spans()
        .map(|(step, span)| json!({ "step": step, "at_us": span.at_us, "took_us": span.took_us }));
    let host_calls = record.host_calls.iter().map(|host_call| {
        let span = host_call.span;
        json!({ "call": host_call.call, "at_us": span.at_us, "took_us": span.took_us })
    });
    json!({
        "plugin": record.plugin.as_ref().map(|plugin| &*plugin.name),
        "version": record.plugin.as_ref().map(|plugin| &*plugin.version),
        "outcome": record.outcome.as_str(),
        "reason": record.reason,
        "ms": record.elapsed.as_secs_f64() * 1000.0,
        "fuel": record.fuel,
        "deadline_ms": u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
        "steps": steps.collect::<Vec<_>>(),
        "host_calls": host_calls.collect::<Vec<_>>(),
    })
}
