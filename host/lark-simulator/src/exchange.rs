//! The result of one delivery.

use std::time::Duration;

use bytes::Bytes;
use lark_wire::frame::Frame;

use crate::verdict::Verdict;

/// One delivery, its answer, and what the user saw.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// The payload as a handler reads it after decryption or joining.
    pub sent: Bytes,
    /// The frames that carried the payload, in the order they were sent; none over the webhook.
    pub sent_frames: Vec<Frame>,
    /// The answer's JSON: the HTTP body, or the decoded `data` of the reply frame. Absent if there was none.
    pub received: Option<Bytes>,
    /// The HTTP status, or the `code` of the reply frame's payload.
    pub code: Option<i64>,
    /// State of the door at the end of the exchange.
    pub carrier: Carrier,
    /// The reply frame as it came.
    pub reply_frame: Option<Frame>,
    /// Time from the first byte sent until the answer was read, or until the user gave up.
    pub elapsed: Duration,
    /// Judgement of the answer: what the user saw.
    pub verdict: Verdict,
}

impl Exchange {
    /// Describes what the user saw, as the user would tell it.
    pub fn in_words(&self) -> String {
        let verdict = &self.verdict;
        if let Some(error) = &verdict.error {
            return match error.code {
                0 => format!("error: {}", error.words),
                code => format!("error {code}: {}", error.words),
            };
        }
        let mut seen = Vec::new();
        seen.extend(
            verdict.toast.as_ref().map(|toast| format!("toast \u{201c}{}\u{201d}", toast.text)),
        );
        seen.extend(verdict.card.as_ref().map(|card| match card["type"].as_str() {
            Some("template") => "a new card from a template".to_owned(),
            _ => "a new card".to_owned(),
        }));
        seen.extend(
            verdict.preview_title.as_ref().map(|title| format!("preview \u{201c}{title}\u{201d}")),
        );
        seen.extend(
            verdict.options.as_ref().map(|options| format!("options {}", options.join(", "))),
        );
        match (seen.is_empty(), verdict.acknowledged) {
            (false, _) => seen.join(", "),
            (true, true) => "acknowledged".to_owned(),
            (true, false) => format!("refused with {}", self.code.unwrap_or(0)),
        }
    }
}

/// State of a delivery's door when its exchange was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// HTTP, or a long connection that is still open.
    Standing,
    /// A long connection that was lost before the answer came: nobody could have answered on it.
    Lost,
    /// There was no connection to send on.
    None,
}

/// Reason why nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no app with that id here.
    #[error("the simulated platform has no app {id}")]
    UnknownApp {
        /// The id of the request.
        id: String,
    },
    /// Legacy cards, callbacks of the approval center and URL checks do not exist on long connections.
    #[error(
        "legacy cards, callbacks of the approval center and URL checks do not travel over a long connection"
    )]
    WebhookOnly,
    /// The app has no connection. Only a send by hand reports this; a delivery shows it to the user instead.
    #[error("the app has no connection")]
    NotOnline,
    /// The webhook is not one of this program's. Other ports of this machine may trust requests from this machine.
    #[error(
        "{url} is not one of this program's webhooks; the option `--webhook {url}` makes it one"
    )]
    UnknownWebhook {
        /// The URL of the request.
        url: String,
    },
    /// The URL is not on loopback. A simulator must not be a way to reach other machines.
    #[error("{url} is not an http:// URL on loopback")]
    NotLoopback {
        /// The URL of the request.
        url: String,
    },
}
