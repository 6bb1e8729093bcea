//! One open connection: frames in, replies out, pings, and the watch over a peer that has gone silent.

mod drain;
mod heartbeat;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use futures_util::StreamExt as _;
use lark_wire::frame::Frame;
use lark_wire::frame::Method;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::verify::RawCallback;
use crate::callback::verify::Source;
use crate::callback::verify::WebhookKeys;
use crate::callback::verify::verify;
use crate::deadline::DeadlineConfig;
use crate::dispatch::Dispatcher;
use crate::dispatch::Flushed;
use crate::first_poll::FirstPoll;
use crate::first_poll::begin;
use crate::ingress::long_connection::dial_error::clip;
use crate::ingress::long_connection::endpoint::Dialed;
use crate::ingress::long_connection::endpoint::Socket;
use crate::ingress::long_connection::reassembly::CompleteMessage;
use crate::ingress::long_connection::reassembly::FragmentPlace;
use crate::ingress::long_connection::reassembly::Reassembler;
use crate::ingress::long_connection::respond;
use crate::ingress::long_connection::session::drain::Drain;
use crate::ingress::long_connection::session::heartbeat::Heartbeat;
use crate::ingress::long_connection::settings::ConnectionSettings;
use crate::ingress::long_connection::settings::WireSettings;
use crate::record::Door;
use crate::shutdown::Shutdown;
use crate::steps::Step;
use crate::steps::Steps;
use crate::telemetry;
use crate::telemetry::events::MESSAGES_AFTER_CLOSE;

/// Time limit of a write. A peer that takes no bytes for this long counts as gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit of closing a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The most queued replies of callbacks that had to wait. A full queue holds their tasks back.
const REPLY_QUEUE: usize = 256;
/// The most replies that are sent together while there is more to read: enough that the cost of a system call for each does not
/// matter, and few enough that the first of them does not wait for a millisecond.
const MOST_TOGETHER: usize = 32;
/// The most callbacks of one connection at a time. Dispatch refuses calls long before; this bounds the memory of a burst. At the
/// limit the connection is not read until one of them has its answer.
const MAX_UNDER_WAY: usize = 1024;
/// The interval between searches for messages that will not be completed.
const SWEEP: Duration = Duration::from_secs(1);

/// The known meaning of a `card` frame: the official SDKs drop it, and the user sees error 200340.
const CARD_FRAME: &str = "a frame of type card: the platform sends these when the app's callbacks are not delivered by \
    long connection; add card.action.trigger under Events & Callbacks > Callback Configuration with long connection, \
    and publish a version";
/// The hint for frames of any type other than `event` and `card`, which have never been seen.
const UNKNOWN_TYPE: &str = "only event frames are answered; see what is subscribed under Events & Callbacks, and whether \
    a newer host knows this type";

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndReason {
    #[error("closed by the platform")]
    Closed,
    #[error("no byte from the platform for {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("the platform takes no more bytes")]
    WriteStalled,
    #[error("{0}")]
    Socket(#[from] tungstenite::Error),
    #[error("the host is stopping")]
    Stopping,
}

/// The result of a session that has ended.
pub(super) struct SessionEnded {
    pub(super) reason: EndReason,
    /// True if the platform sent any message other than a Close.
    pub(super) was_heard: bool,
}

/// The parts of the host that a session uses.
#[derive(Clone, Copy)]
pub(super) struct SessionHost<'a> {
    pub(super) dispatcher: &'a Arc<Dispatcher>,
    pub(super) deadline: DeadlineConfig,
    /// The time beyond a ping interval for which the platform may be silent.
    pub(super) silence: Duration,
}

/// A reply on its way to the connection that its request came in on.
struct OutgoingReply {
    frame: Frame,
    flushed: Option<Flushed>,
}

/// The next event that a session handles.
enum SessionEvent {
    PingDue,
    /// It is time to drop messages that will not be completed.
    SweepDue,
    /// A callback that had to wait has its answer.
    Reply(OutgoingReply),
    /// Enough answers are ready to be sent, or there is nothing else to do.
    RepliesReady,
    CallbackEnded(Result<(), JoinError>),
    /// A message came; `None` if the socket is closed.
    Message(Option<Result<Message, tungstenite::Error>>),
    /// The peer may have been silent for too long.
    SilenceDue,
    /// The host begins to stop.
    StopBegun,
    /// The host is stopping, and no callback is under way.
    Drained,
}

struct Session<'a> {
    socket: Socket,
    /// The id that every ping carries.
    service_id: i32,
    settings: &'a mut ConnectionSettings,
    host: SessionHost<'a>,
    heartbeat: Heartbeat,
    drain: Drain<'a>,
    fragments: Reassembler,
    sweep: Interval,
    callbacks: JoinSet<()>,
    replies: Replies,
}

/// The replies of one session that are not sent yet.
struct Replies {
    /// Answers of callbacks that did not have to wait.
    ready: Vec<OutgoingReply>,
    /// Sends the answers of callbacks that have to wait.
    sender: mpsc::Sender<OutgoingReply>,
    receiver: mpsc::Receiver<OutgoingReply>,
}

impl Replies {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(REPLY_QUEUE);
        Self { ready: Vec::new(), sender, receiver }
    }
}

/// Serves one connection until it ends. The socket is closed when this returns.
pub(super) async fn run(
    dialed: Dialed,
    settings: &mut ConnectionSettings,
    host: SessionHost<'_>,
    shutdown: &Shutdown,
) -> SessionEnded {
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let heartbeat = Heartbeat::new(settings.ping_interval, host.silence);
    let mut session = Session {
        socket: dialed.socket,
        service_id: dialed.service_id,
        settings,
        host,
        heartbeat,
        drain: Drain::new(shutdown),
        fragments: Reassembler::default(),
        sweep,
        callbacks: JoinSet::new(),
        replies: Replies::new(),
    };
    let reason = session.serve().await;
    session.close(&reason).await;
    SessionEnded { reason, was_heard: session.heartbeat.was_heard() }
}

impl Session<'_> {
    async fn serve(&mut self) -> EndReason {
        loop {
            let event = self.next_event().await;
            if let Err(reason) = self.handle(event).await {
                return reason;
            }
        }
    }

    /// Cancel safe: a message is either taken or stays in the socket, and everything else only waits.
    async fn next_event(&mut self) -> SessionEvent {
        let is_reading = self.callbacks.len() < MAX_UNDER_WAY && self.drain.still_reads();
        let is_idle = self.callbacks.is_empty() && self.replies.receiver.is_empty();
        let ready_count = self.replies.ready.len();
        tokio::select! {
            // The order matters: rare timers first, then answers, then new messages, and the end of the session only if there is
            // nothing else to do. While bytes wait to be read the peer is not silent, and the host does not close.
            biased;
            () = self.heartbeat.ping.as_mut() => SessionEvent::PingDue,
            _ = self.sweep.tick(), if self.fragments.any_incomplete() => SessionEvent::SweepDue,
            Some(reply) = self.replies.receiver.recv() => SessionEvent::Reply(reply),
            () = ready(()), if ready_count >= MOST_TOGETHER => SessionEvent::RepliesReady,
            Some(callback) = self.callbacks.join_next() => SessionEvent::CallbackEnded(callback),
            message = self.socket.next(), if is_reading => SessionEvent::Message(message),
            // No message waits to be read.
            () = ready(()), if ready_count > 0 => SessionEvent::RepliesReady,
            () = self.heartbeat.silence.as_mut(), if is_reading => SessionEvent::SilenceDue,
            () = self.drain.stopping.as_mut(), if !self.drain.has_begun() => SessionEvent::StopBegun,
            () = ready(()), if is_idle && self.drain.has_begun() => SessionEvent::Drained,
        }
    }

    async fn handle(&mut self, event: SessionEvent) -> Result<(), EndReason> {
        match event {
            SessionEvent::PingDue => {
                self.write(&Frame::control(self.service_id, "ping")).await?;
                self.heartbeat.pinged(self.settings.ping_interval);
            }
            SessionEvent::SweepDue => self.drop_incomplete(),
            SessionEvent::Reply(reply) => {
                self.replies.ready.push(reply);
                while let Ok(reply) = self.replies.receiver.try_recv() {
                    self.replies.ready.push(reply);
                }
                self.send_replies().await?;
            }
            SessionEvent::RepliesReady => self.send_replies().await?,
            SessionEvent::CallbackEnded(Ok(())) => {}
            SessionEvent::CallbackEnded(Err(error)) => self.unanswered(&error),
            SessionEvent::Message(message) => {
                let ping_interval = self.settings.ping_interval;
                self.read(message.ok_or(EndReason::Closed)??)?;
                if self.settings.ping_interval < ping_interval {
                    self.heartbeat.watch(self.settings.ping_interval);
                }
            }
            SessionEvent::SilenceDue => {
                if let Some(silence) = self.heartbeat.silence_so_far(self.settings.ping_interval) {
                    return Err(EndReason::Silent(silence));
                }
                self.heartbeat.watch(self.settings.ping_interval);
            }
            SessionEvent::StopBegun => self.drain.begin(),
            SessionEvent::Drained => return Err(EndReason::Stopping),
        }
        Ok(())
    }

    fn unanswered(&self, error: &dyn std::fmt::Display) {
        tracing::error!(app = self.app(), %error, "long connection: internal error, a callback was not answered");
    }

    fn read(&mut self, message: Message) -> Result<(), EndReason> {
        let now = Instant::now();
        // A Close also breaks the silence, but does not show that the connection was ever good.
        self.heartbeat.heard(now, !message.is_close());
        match message {
            Message::Binary(bytes) => match Frame::parse(bytes) {
                Ok(frame) => self.take(frame, now),
                Err(error) => self.reject("bad_frame", &error.to_string()),
            },
            Message::Text(_) => self.reject("text_message", "a text message; frames are binary"),
            Message::Close(_) => return Err(EndReason::Closed),
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

    /// Handles a control frame. A pong may carry new settings; empty or broken ones change nothing.
    fn control(&mut self, frame: &Frame) {
        let Some(payload) = frame.payload.as_deref().filter(|payload| !payload.is_empty()) else {
            return;
        };
        if frame.header("type") != Some("pong") {
            return;
        }
        match serde_json::from_slice(payload) {
            Ok(json) => self.settings.update(WireSettings::read(&json)),
            Err(error) => {
                tracing::warn!(app = self.app(), %error, "long connection: pong with an unreadable configuration")
            }
        }
    }

    fn data(&mut self, mut frame: Frame, now: Instant) {
        match frame.header("type") {
            Some("event") => {}
            Some("card") => {
                self.reject("card_frame", CARD_FRAME);
                return self.answer_rejected(frame);
            }
            other => {
                let kind = clip(other.unwrap_or("none"));
                return self
                    .reject("unknown_type", &format!("a frame of type {kind:?}; {UNKNOWN_TYPE}"));
            }
        }
        let place = match place(&frame) {
            Ok(place) => place,
            Err(reason) => return self.reject("bad_fragment", &reason),
        };
        let part = frame.payload.clone().unwrap_or_default();
        match self.fragments.add(place, &part, now) {
            Ok(Some(complete)) => {
                frame.payload = None;
                self.callback(frame, complete);
            }
            Ok(None) => {}
            Err(error) => self.reject("bad_fragment", &error.to_string()),
        }
    }

    fn callback(&mut self, frame: Frame, complete: CompleteMessage) {
        let deadline = self.host.deadline.starting(complete.received);
        let mut steps = Steps::starting(complete.received);
        steps.done(Step::Receive);
        let inbound = match understand(complete.payload) {
            Ok(inbound) => inbound,
            Err(reason) => {
                self.reject("malformed", &reason);
                return self.answer_rejected(frame);
            }
        };
        steps.done(Step::Verify);
        let dispatcher = Arc::clone(self.host.dispatcher);
        let answering = async move {
            let answered = dispatcher.answer(inbound, Door::LongConnection, deadline, steps).await;
            let frame = respond::answered(frame, &answered.reply, deadline.elapsed());
            OutgoingReply { frame, flushed: Some(answered.flushed) }
        };
        match begin(answering) {
            FirstPoll::Over(reply) => self.replies.ready.push(reply),
            FirstPoll::Waits(answering) => {
                let (replies, dispatcher) =
                    (self.replies.sender.clone(), Arc::clone(self.host.dispatcher));
                self.callbacks.spawn(async move {
                    if replies.send(answering.await).await.is_err() {
                        tracing::warn!(
                            app = dispatcher.app(),
                            "long connection: ended before the answer was sent"
                        );
                    }
                });
            }
            FirstPoll::Panicked => self.unanswered(&"it panicked"),
        }
    }

    fn answer_rejected(&mut self, frame: Frame) {
        self.replies
            .ready
            .push(OutgoingReply { frame: respond::rejected(frame, Duration::ZERO), flushed: None });
    }

    /// Sends all ready replies with one flush.
    async fn send_replies(&mut self) -> Result<(), EndReason> {
        let mut flushed = Vec::new();
        for OutgoingReply { frame, flushed: mark } in self.replies.ready.drain(..) {
            timely(self.socket.feed(Message::Binary(frame.to_bytes()))).await?;
            flushed.extend(mark);
        }
        timely(self.socket.flush()).await?;
        flushed.into_iter().for_each(Flushed::mark);
        Ok(())
    }

    async fn write(&mut self, frame: &Frame) -> Result<(), EndReason> {
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
        telemetry::record_rejected(self.app(), Door::LongConnection, kind, reason, None);
    }

    fn app(&self) -> &str {
        self.host.dispatcher.app()
    }

    /// Closes the connection if the peer still listens, and logs the answers and messages that are lost. Running callbacks end by
    /// themselves; their answers belong to this connection and cannot be sent on another.
    async fn close(&mut self, reason: &EndReason) {
        self.callbacks.detach_all();
        self.replies.receiver.close();
        let mut unsent = self.replies.ready.len();
        while self.replies.receiver.try_recv().is_ok() {
            unsent += 1;
        }
        if unsent > 0 {
            tracing::warn!(
                app = self.app(),
                unsent,
                "long connection: ended before these answers were sent"
            );
        }
        match reason {
            EndReason::Stopping => {
                let missed = self.say_goodbye(reason.to_string()).await;
                if missed > 0 {
                    tracing::warn!(app = self.app(), missed, "{MESSAGES_AFTER_CLOSE}");
                }
            }
            // A peer that closed gets the Close that the library has ready; if it cannot be sent, closing the TCP connection says
            // the same.
            EndReason::Closed => {
                drop(tokio::time::timeout(CLOSE_TIMEOUT, self.socket.flush()).await)
            }
            // The peer is gone, so there is nobody to tell.
            EndReason::Silent(_) | EndReason::WriteStalled | EndReason::Socket(_) => {}
        }
    }

    /// Closes the connection, and counts the messages that came meanwhile: the protocol has no way to say "send no more".
    async fn say_goodbye(&mut self, reason: String) -> usize {
        let mut missed = 0;
        let goodbye = async {
            let frame = CloseFrame { code: CloseCode::Away, reason: reason.into() };
            // A failure only means that the peer is gone already.
            let _ = self.socket.close(Some(frame)).await;
            while let Some(Ok(message)) = self.socket.next().await {
                missed += usize::from(is_data(&message));
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
        missed
    }
}

fn is_data(message: &Message) -> bool {
    let Message::Binary(bytes) = message else { return false };
    Frame::parse(bytes.clone()).is_ok_and(|frame| frame.kind() == Method::Data)
}

/// Reads which fragment of which message a frame carries. Without numbers it is the whole message, as in one official SDK.
fn place(frame: &Frame) -> Result<FragmentPlace<'_>, String> {
    let number = |key: &str, absent| match frame.header(key) {
        None => Ok(absent),
        Some(text) => text.parse().map_err(|_| format!("`{key}` is {:?}", clip(text))),
    };
    Ok(FragmentPlace {
        message_id: frame.header("message_id").unwrap_or_default(),
        sum: number("sum", 1)?,
        seq: number("seq", 0)?,
    })
}

async fn timely<F>(write: F) -> Result<(), EndReason>
where
    F: Future<Output = Result<(), tungstenite::Error>>,
{
    Ok(tokio::time::timeout(WRITE_TIMEOUT, write)
        .await
        .map_err(|_elapsed| EndReason::WriteStalled)??)
}

/// Parses a message. The connection makes it authentic, so there are no keys to check it against.
fn understand(payload: Bytes) -> Result<crate::callback::model::Callback, String> {
    let keys = WebhookKeys::new(None, None);
    let raw = RawCallback { source: Source::LongConnection, body: payload };
    let verified = verify(raw, &keys).map_err(|error| error.to_string())?;
    match parse(verified, &keys).map_err(|error| error.to_string())? {
        Inbound::Callback(callback) => Ok(*callback),
        Inbound::Challenge(_) => Err("a URL check, which belongs to the webhook".to_owned()),
    }
}
