//! One open connection: frames in, replies out, pings, and the watch over a peer that has gone silent.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::task::TaskTracker;

use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::verify::RawCallback;
use crate::callback::verify::Source;
use crate::callback::verify::WebhookKeys;
use crate::callback::verify::verify;
use crate::deadline::DeadlineConfig;
use crate::dispatch::Dispatcher;
use crate::dispatch::Flushed;
use crate::ingress::long_connection::endpoint::Dialed;
use crate::ingress::long_connection::endpoint::Socket;
use crate::ingress::long_connection::frame::Frame;
use crate::ingress::long_connection::frame::Method;
use crate::ingress::long_connection::reassembly::Complete;
use crate::ingress::long_connection::reassembly::Place;
use crate::ingress::long_connection::reassembly::Reassembler;
use crate::ingress::long_connection::respond;
use crate::ingress::long_connection::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry;
use crate::telemetry::Door;

/// How much longer than a ping interval a peer may be silent: it answers every ping at once.
const SILENCE_ALLOWANCE: Duration = Duration::from_secs(30);
/// A peer that does not take our bytes for this long is as good as gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Replies that wait for the socket. A full queue holds their tasks back, whose number dispatch bounds.
const REPLY_QUEUE: usize = 256;
/// How often fragments that will not be completed are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("closed by the platform")]
    Closed,
    #[error("no byte from the platform for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the platform takes no more bytes")]
    WriteStalled,
    #[error("{0}")]
    Socket(#[from] tungstenite::Error),
    #[error("the host is stopping")]
    Stopping,
}

/// A reply on its way to the connection that its request came in on.
struct Outgoing {
    frame: Frame,
    flushed: Option<Flushed>,
}

struct Session<'a> {
    socket: Socket,
    settings: &'a mut Settings,
    dispatcher: &'a Dispatcher,
    deadline: DeadlineConfig,
    fragments: Reassembler,
    replies: mpsc::Sender<Outgoing>,
    callbacks: TaskTracker,
}

/// Serves one connection until it ends. The socket is closed when this returns.
pub(super) async fn run(
    dialed: Dialed,
    settings: &mut Settings,
    dispatcher: &Dispatcher,
    deadline: DeadlineConfig,
    shutdown: &Shutdown,
) -> Ended {
    let (replies, outgoing) = mpsc::channel(REPLY_QUEUE);
    let mut session = Session {
        socket: dialed.socket,
        settings,
        dispatcher,
        deadline,
        fragments: Reassembler::default(),
        replies,
        callbacks: TaskTracker::new(),
    };
    match session.serve(dialed.service_id, outgoing, shutdown).await {
        Ok(never) => match never {},
        Err(ended) => {
            session.close(&ended).await;
            ended
        }
    }
}

impl Session<'_> {
    /// Only ever ends with a reason.
    async fn serve(
        &mut self,
        service_id: i32,
        mut outgoing: mpsc::Receiver<Outgoing>,
        shutdown: &Shutdown,
    ) -> Result<std::convert::Infallible, Ended> {
        let mut last_heard = Instant::now();
        let mut next_ping = Instant::now();
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let silent_at = last_heard + self.settings.ping_interval + SILENCE_ALLOWANCE;
            tokio::select! {
                // Cancel safe, all of them: a message is either taken or stays where it is, the rest only waits.
                message = self.socket.next() => {
                    last_heard = Instant::now();
                    self.heard(message.ok_or(Ended::Closed)??, last_heard)?;
                }
                Some(reply) = outgoing.recv() => self.send_replies(reply, &mut outgoing).await?,
                () = tokio::time::sleep_until(next_ping) => {
                    self.write(&Frame::control(service_id, "ping")).await?;
                    next_ping = Instant::now() + self.settings.ping_interval;
                }
                () = tokio::time::sleep_until(silent_at) => return Err(Ended::Silent(last_heard.elapsed())),
                _ = sweep.tick() => self.drop_incomplete(),
                () = shutdown.begun(), if self.callbacks.is_empty() && outgoing.is_empty() => {
                    return Err(Ended::Stopping);
                }
            }
        }
    }

    fn heard(&mut self, message: Message, now: Instant) -> Result<(), Ended> {
        match message {
            Message::Binary(bytes) => match Frame::parse(bytes) {
                Ok(frame) => self.take(frame, now),
                Err(error) => self.reject("bad_frame", &error.to_string()),
            },
            Message::Text(_) => self.reject("text_message", "a text message; frames are binary"),
            Message::Close(_) => return Err(Ended::Closed),
            // The library answers pings by itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame, now: Instant) {
        match frame.kind() {
            Method::Control => self.control(&frame),
            Method::Data => self.data(frame, now),
            Method::Unknown(method) => {
                self.reject("unknown_method", &format!("a frame of method {method}"))
            }
        }
    }

    /// A pong may carry a new configuration; an empty or broken one changes nothing.
    fn control(&mut self, frame: &Frame) {
        let Some(payload) = frame.payload.as_deref().filter(|payload| !payload.is_empty()) else {
            return;
        };
        if frame.header("type") != Some("pong") {
            return;
        }
        match serde_json::from_slice(payload) {
            Ok(wire) => self.settings.update(&wire),
            Err(error) => {
                tracing::warn!(app = self.dispatcher.app(), %error, "a pong with a broken configuration")
            }
        }
    }

    fn data(&mut self, mut frame: Frame, now: Instant) {
        match frame.header("type") {
            Some("event") => {}
            Some("card") => {
                self.reject(
                    "card_frame",
                    "a frame of type card: the platform sends these when the app's callbacks are not delivered by long \
                     connection; add card.action.trigger under Events & Callbacks > Callback Configuration with long \
                     connection, and publish a version",
                );
                return self.answer_rejected(frame);
            }
            other => return self.reject("unknown_type", &format!("a frame of type {other:?}")),
        }
        let number = |key| frame.header(key).and_then(|text| text.parse::<usize>().ok());
        let place = Place {
            message_id: frame.header("message_id").unwrap_or_default(),
            sum: number("sum").unwrap_or(1),
            seq: number("seq").unwrap_or(0),
        };
        let part = frame.payload.clone().unwrap_or_default();
        match self.fragments.add(place, part, now) {
            Ok(Some(complete)) => {
                frame.payload = None;
                self.callback(frame, complete);
            }
            Ok(None) => {}
            Err(error) => self.reject("bad_fragment", &error.to_string()),
        }
    }

    fn callback(&self, frame: Frame, complete: Complete) {
        let deadline = self.deadline.starting(complete.received);
        let inbound = match understand(complete.payload) {
            Ok(inbound) => inbound,
            Err(reason) => {
                self.reject("malformed", &reason);
                return self.answer_rejected(frame);
            }
        };
        let (dispatcher, replies) = (self.dispatcher.clone(), self.replies.clone());
        self.callbacks.spawn(async move {
            let answered = dispatcher.answer(inbound, Door::LongConnection, deadline).await;
            let frame = respond::answered(frame, &answered.reply, deadline.elapsed());
            if replies.send(Outgoing { frame, flushed: Some(answered.flushed) }).await.is_err() {
                tracing::warn!(
                    app = dispatcher.app(),
                    "the connection of a callback ended before its answer was sent"
                );
            }
        });
    }

    fn answer_rejected(&self, frame: Frame) {
        let replies = self.replies.clone();
        let outgoing = Outgoing { frame: respond::rejected(frame, Duration::ZERO), flushed: None };
        // A full queue means a stalled peer, which would not read this either.
        let _ = replies.try_send(outgoing);
    }

    /// Writes that reply and those behind it with one flush.
    async fn send_replies(
        &mut self,
        first: Outgoing,
        waiting: &mut mpsc::Receiver<Outgoing>,
    ) -> Result<(), Ended> {
        let mut flushed = Vec::new();
        let mut next = Some(first);
        while let Some(Outgoing { frame, flushed: mark }) = next {
            timely(self.socket.feed(Message::Binary(frame.to_bytes()))).await?;
            flushed.extend(mark);
            next = waiting.try_recv().ok();
        }
        timely(self.socket.flush()).await?;
        flushed.into_iter().for_each(Flushed::mark);
        Ok(())
    }

    async fn write(&mut self, frame: &Frame) -> Result<(), Ended> {
        timely(self.socket.send(Message::Binary(frame.to_bytes()))).await
    }

    fn drop_incomplete(&mut self) {
        for message_id in self.fragments.expire(Instant::now()) {
            self.reject(
                "incomplete_message",
                &format!("the fragments of message {message_id} never became complete"),
            );
        }
    }

    fn reject(&self, kind: &'static str, reason: &str) {
        telemetry::record_rejected(self.dispatcher.app(), Door::LongConnection, kind, reason);
    }

    async fn close(&mut self, ended: &Ended) {
        let code = match ended {
            Ended::Stopping => CloseCode::Away,
            Ended::Closed | Ended::Silent(_) | Ended::WriteStalled | Ended::Socket(_) => {
                CloseCode::Normal
            }
        };
        let goodbye = async {
            // Whoever is gone already cannot be told, and that is all a failure here means.
            let _ = self
                .socket
                .close(Some(CloseFrame { code, reason: ended.to_string().into() }))
                .await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

async fn timely<F>(write: F) -> Result<(), Ended>
where
    F: Future<Output = Result<(), tungstenite::Error>>,
{
    Ok(tokio::time::timeout(WRITE_TIMEOUT, write)
        .await
        .map_err(|_elapsed| Ended::WriteStalled)??)
}

/// What comes over the connection is authentic by it, so there are no keys to check against.
fn understand(payload: Bytes) -> Result<crate::callback::model::Callback, String> {
    let keys = WebhookKeys::new(None, None);
    let raw = RawCallback { source: Source::LongConnection, body: payload };
    let verified = verify(raw, &keys).map_err(|error| error.to_string())?;
    match parse(verified, &keys).map_err(|error| error.to_string())? {
        Inbound::Callback(callback) => Ok(*callback),
        Inbound::Challenge(_) => Err("a URL check, which belongs to the webhook".to_owned()),
    }
}
