//! Records of the platform's requests and answers, for tests and pages that ask afterwards.

use std::time::Duration;

use aviary_state::Latest;
use aviary_state::Mutex;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::changes::Changes;
use crate::update_token::AnswerMark;

/// Most records of each sort; the oldest are dropped first. A soak test looks at ten thousand and their repeats, and must not
/// fill memory.
const MAX_RECORDS: usize = 50_000;
/// An answer and the update after it travel on two sockets that two tasks read, so a busy machine may read them in the
/// wrong order. An update that is early by no more than this is taken to have come afterwards.
const READING_ORDER_SLACK: Duration = Duration::from_millis(50);

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Discovery requests with this app's id, whatever the answer was.
    pub discoveries: u64,
    /// Handshakes with a ticket of this app, whatever the answer was.
    pub handshakes: u64,
    /// Ping frames from the app's clients.
    pub pings: u64,
    /// Answers that came after the user had given up.
    pub late_answers: u64,
    /// Second answers to one callback.
    pub duplicate_answers: u64,
    /// Reply frames to no known callback.
    pub stray_answers: u64,
    /// WebSocket messages that are not frames.
    pub broken_frames: u64,
    /// Requests for access tokens.
    pub token_requests: u64,
}

/// One request to update a card.
#[derive(Clone, Debug)]
pub struct CardUpdate {
    /// App whose access token the request carried.
    pub app_id: String,
    /// The update token; empty if the body had none.
    pub token: String,
    /// The `card` of the body; null if it had none.
    pub card: Value,
    /// Code of the answer; 0 is success.
    pub code: i64,
    pub(super) arrived: Instant,
    pub(super) answered: Option<AnswerMark>,
}

impl CardUpdate {
    /// Returns true if the update was accepted but came before the answer to its own callback. On the platform such an update
    /// fails or is reverted.
    pub fn is_early(&self) -> bool {
        let Some(mark) = &self.answered else { return false };
        let in_order =
            mark.get().is_some_and(|answered| answered <= self.arrived + READING_ORDER_SLACK);
        self.code == 0 && !in_order
    }

    /// Describes the update for the control endpoints.
    pub(super) fn describe(&self) -> Value {
        json!({
            "app_id": self.app_id,
            "token": self.token,
            "card": self.card,
            "code": self.code,
            "early": self.is_early(),
        })
    }
}

/// One message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentMessage {
    /// App whose access token the request carried.
    pub app_id: String,
    /// Id from the answer, `om_…`.
    pub message_id: String,
    /// Type of the recipient's id: `open_id`, `chat_id`, …
    pub receive_id_type: String,
    /// Id of the recipient.
    pub receive_id: String,
    /// Type of the message: `text`, `interactive`, …
    pub msg_type: String,
    /// The content: JSON inside a string, as it was sent.
    pub content: String,
    /// The sender's own key against sending twice, if any.
    pub uuid: Option<String>,
}

/// One call of the server API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApiCall {
    /// App whose access token the request carried, if the token was valid.
    pub app_id: Option<String>,
    /// Tenant that the token is for.
    pub tenant_key: Option<String>,
    /// HTTP method: `POST`, …
    pub method: String,
    /// Path of the URL, without the query.
    pub path: String,
    /// Query of the URL without the question mark; empty if there was none.
    pub query: String,
    /// The body, if it was JSON and does not carry a secret.
    pub body: Option<Value>,
    /// The code of the answer; 0 is success.
    pub code: i64,
}

pub(super) struct Records {
    kept: Mutex<Kept>,
    changes: Changes,
}

struct Kept {
    card_updates: Latest<CardUpdate>,
    messages: Latest<SentMessage>,
    api_calls: Latest<ApiCall>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            card_updates: Latest::new(MAX_RECORDS),
            messages: Latest::new(MAX_RECORDS),
            api_calls: Latest::new(MAX_RECORDS),
        }
    }
}

impl Records {
    pub(super) fn new(changes: Changes) -> Self {
        Self { kept: Mutex::default(), changes }
    }

    pub(super) fn add_card_update(&self, update: CardUpdate) {
        self.kept.lock().card_updates.push(update);
        self.changes.ring();
    }

    /// Keeps the message, unless the same app sent one with the same `uuid`: then that one's id is returned.
    pub(super) fn add_message(&self, message: SentMessage) -> String {
        let id = {
            let mut kept = self.kept.lock();
            let earlier = kept.messages.iter().find(|earlier| {
                message.uuid.is_some()
                    && earlier.uuid == message.uuid
                    && earlier.app_id == message.app_id
            });
            match earlier {
                Some(earlier) => earlier.message_id.clone(),
                None => {
                    let id = message.message_id.clone();
                    kept.messages.push(message);
                    id
                }
            }
        };
        self.changes.ring();
        id
    }

    pub(super) fn add_api_call(&self, call: ApiCall) {
        self.kept.lock().api_calls.push(call);
        self.changes.ring();
    }

    pub(super) fn card_updates(&self) -> Vec<CardUpdate> {
        self.kept.lock().card_updates.iter().cloned().collect()
    }

    pub(super) fn messages(&self) -> Vec<SentMessage> {
        self.kept.lock().messages.iter().cloned().collect()
    }

    pub(super) fn api_calls(&self) -> Vec<ApiCall> {
        self.kept.lock().api_calls.iter().cloned().collect()
    }

    /// Returns the numbers of card updates and messages since the start.
    pub(super) fn counts(&self) -> (u64, u64) {
        let kept = self.kept.lock();
        (kept.card_updates.count(), kept.messages.count())
    }

    pub(super) fn card_updates_after(&self, count: u64) -> Vec<CardUpdate> {
        self.kept.lock().card_updates.after(count).cloned().collect()
    }

    pub(super) fn messages_after(&self, count: u64) -> Vec<SentMessage> {
        self.kept.lock().messages.after(count).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_early_until_its_callback_is_answered() {
        let mark = AnswerMark::default();
        let answered = Instant::now() + 2 * READING_ORDER_SLACK;
        let update = |code, arrived| CardUpdate {
            app_id: "cli_a".into(),
            token: "c-1".into(),
            card: Value::Null,
            code,
            arrived,
            answered: Some(mark.clone()),
        };
        let long_before = update(0, answered - 2 * READING_ORDER_SLACK);
        let just_before = update(0, answered - READING_ORDER_SLACK);
        assert!(long_before.is_early() && just_before.is_early(), "there is no answer yet");
        mark.set(answered);
        assert!(long_before.is_early(), "reading in the wrong order does not explain this");
        assert!(!just_before.is_early());
        assert!(!update(0, answered).is_early());
        let refused = update(300_040, answered - 2 * READING_ORDER_SLACK);
        assert!(!refused.is_early(), "what was refused did no harm");
    }
}
