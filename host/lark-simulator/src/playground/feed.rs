//! Tells a page at once of what happens without a click: connections, plugins, a build, and the app's messages and updates.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract;
use axum::response::sse::Event;
use axum::response::sse::Sse;
use futures_util::stream;
use futures_util::stream::Stream;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::changes::Listener;
use crate::state::State;

/// Handles `GET /playground/events`: server-sent events, for as long as the page is there.
///
/// | event | data |
/// |---|---|
/// | `state` | `{"apps": [{"id", "connected"}], "webhook", "plugins", "build"}`, the last two a host's in the same process |
/// | `card_update` | one update of a card, as `/simulator/state` has it |
/// | `message` | one message that an app has sent, likewise |
/// | `shown` | `{"name", "exchange"}`: a callback that a program has sent, with what `/simulator/send` would answer |
pub(super) async fn follow(
    extract::State(state): extract::State<Arc<State>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let reader = Reader::new(state);
    Sse::new(stream::unfold(reader, async |mut reader| Some((Ok(reader.next().await), reader))))
}

/// Position of one page in the records.
struct Reader {
    changes: Listener,
    last: Value,
    updates: u64,
    messages: u64,
    shown: u64,
    waiting: VecDeque<Event>,
    state: Arc<State>,
}

impl Reader {
    /// Starts after the present records: earlier messages are not on this page's screen, so that nothing can be done to them.
    fn new(state: Arc<State>) -> Self {
        let changes = state.changes.subscribe();
        let (updates, messages) = state.records.counts();
        let (last, shown, waiting) = (Value::Null, 0, VecDeque::new());
        Self { changes, last, updates, messages, shown, waiting, state }
    }

    /// Returns the next event. Cancel safe: events that were found wait for the next call.
    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            self.look();
            if self.waiting.is_empty() {
                self.changes.seen().await;
            }
        }
    }

    fn look(&mut self) {
        let now = describe(&self.state);
        if now != self.last {
            self.last = now.clone();
            self.push("state", &now);
        }
        for update in self.state.records.card_updates_after(self.updates) {
            self.updates += 1;
            self.push("card_update", &update.describe());
        }
        for message in self.state.records.messages_after(self.messages) {
            self.messages += 1;
            self.push("message", &message);
        }
        let shown = self.state.host_words.shown();
        if shown.times > self.shown {
            self.shown = shown.times;
            shown.callbacks.iter().for_each(|callback| self.push("shown", callback));
        }
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        // JSON is one line, and all of these values can be written as JSON.
        self.waiting.extend(Event::default().event(name).json_data(data));
    }
}

fn describe(state: &State) -> Value {
    let apps = state
        .apps()
        .map(|app| json!({ "id": app.settings.id, "connected": app.connections.count() }));
    let host = state.host_words.surroundings();
    json!({
        "apps": apps.collect::<Vec<_>>(),
        "webhook": state.first_webhook(),
        "plugins": host.as_ref().map(|host| &host.plugins),
        "build": state.host_words.build(),
    })
}
