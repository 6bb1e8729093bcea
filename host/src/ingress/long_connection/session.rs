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
use crate::first_poll::Begun;
use crate::first_poll::begin;
use crate::ingress::long_connection::dial_error::clip;
use crate::ingress::long_connection::endpoint::Dialed;
use crate::ingress::long_connection::endpoint::Socket;
use crate::ingress::long_connection::reassembly::Complete;
use crate::ingress::long_connection::reassembly::Place;
use crate::ingress::long_connection::reassembly::Reassembler;
use crate::ingress::long_connection::respond;
use crate::ingress::long_connection::session::drain::Drain;
use crate::ingress::long_connection::session::heartbeat::Heartbeat;
use crate::ingress::long_connection::settings::Settings;
use crate::ingress::long_connection::settings::WireSettings;
use crate::record::Door;
use crate::shutdown::Shutdown;
use crate::steps::Step;
use crate::steps::Steps;
use crate::telemetry;
use crate::telemetry::events::MESSAGES_AFTER_CLOSE;

/// A peer that does not take our bytes for this long is as good as gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Replies of callbacks that had to wait for something. A full queue holds their tasks back.
const REPLY_QUEUE: usize = 256;
/// Replies that leave together while there is more to read: so many that a system call each does not matter, and so few
/// that the first of them does not wait for a millisecond.
const MOST_TOGETHER: usize = 32;
/// Callbacks of one connection at a time. Dispatch turns calls away long before; this bounds what a burst may hold.
/// At the limit the connection is not read until one of them has its answer.
const MAX_UNDER_WAY: usize = 1024;
/// How often fragments that will not be completed are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// What a `card` frame means, as far as anybody outside knows: the official SDKs drop it, and the user sees 200340.
const CARD_FRAME: &str = "a frame of type card: the platform sends these when the app's callbacks are not delivered by \
    long connection; add card.action.trigger under Events & Callbacks > Callback Configuration with long connection, \
    and publish a version";
/// Nothing but these two types has ever been seen.
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

/// A session that is over.
pub(super) struct SessionEnded {
    pub(super) reason: EndReason,
    /// Whether the platform said anything at all.
    pub(super) was_heard: bool,
}

/// What a session needs of the host.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) dispatcher: &'a Arc<Dispatcher>,
    pub(super) deadline: DeadlineConfig,
    /// How much longer than a ping interval the platform may say nothing.
    pub(super) silence: Duration,
}

/// A reply on its way to the connection that its request came in on.
struct Outgoing {
    frame: Frame,
    flushed: Option<Flushed>,
}

/// What a session has to do next.
enum SessionEvent {
    PingDue,
    /// Fragments that will not be completed are to be looked for.
    SweepDue,
    /// The answer to a callback that had to wait.
    Reply(Outgoing),
    /// Enough answers are ready to be sent, or nothing else is to be done.
    RepliesReady,
    CallbackEnded(Result<(), JoinError>),
    /// None: the socket is closed.
    Message(Option<Result<Message, tungstenite::Error>>),
    /// The peer may have been silent for too long.
    SilenceDue,
    /// The host begins to stop.
    StopBegun,
    /// The host stops, and nothing is under way.
    Drained,
}

struct Session<'a> {
    socket: Socket,
    /// Goes into every ping.
    service_id: i32,
    settings: &'a mut Settings,
    host: Host<'a>,
    heartbeat: Heartbeat,
    drain: Drain<'a>,
    fragments: Reassembler,
    sweep: Interval,
    callbacks: JoinSet<()>,
    replies: Replies,
}

/// The replies of one session that are not sent yet.
struct Replies {
    /// Those that could be given at once.
    ready: Vec<Outgoing>,
    /// For callbacks that have to wait.
    sender: mpsc::Sender<Outgoing>,
    receiver: mpsc::Receiver<Outgoing>,
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
    settings: &mut Settings,
    host: Host<'_>,
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

    /// Cancel safe: a message is either taken or stays where it is, the rest only waits.
    async fn next_event(&mut self) -> SessionEvent {
        let is_reading = self.callbacks.len() < MAX_UNDER_WAY && self.drain.still_reads();
        let is_idle = self.callbacks.is_empty() && self.replies.receiver.is_empty();
        let ready_count = self.replies.ready.len();
        tokio::select! {
            // In this order: what is seldom due, then answers, then questions, and an end only where nothing else
            // is to be done. A byte that waits to be read is no silence, and nobody's goodbye.
            biased;
            () = self.heartbeat.ping.as_mut() => SessionEvent::PingDue,
            _ = self.sweep.tick(), if self.fragments.any_incomplete() => SessionEvent::SweepDue,
            Some(reply) = self.replies.receiver.recv() => SessionEvent::Reply(reply),
            () = ready(()), if ready_count >= MOST_TOGETHER => SessionEvent::RepliesReady,
            Some(callback) = self.callbacks.join_next() => SessionEvent::CallbackEnded(callback),
            message = self.socket.next(), if is_reading => SessionEvent::Message(message),
            // Nothing more has come.
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
        tracing::error!(app = self.app(), %error, "a callback went unanswered by a mistake of this host");
    }

    fn read(&mut self, message: Message) -> Result<(), EndReason> {
        let now = Instant::now();
        // A Close is a word too, but no sign that the connection was ever good.
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

    /// A pong may carry a new configuration; an empty or broken one changes nothing.
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
                tracing::warn!(app = self.app(), %error, "a pong with a broken configuration")
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

    fn callback(&mut self, frame: Frame, complete: Complete) {
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
            Outgoing { frame, flushed: Some(answered.flushed) }
        };
        match begin(answering) {
            Begun::Over(reply) => self.replies.ready.push(reply),
            Begun::Waits(answering) => {
                let (replies, dispatcher) =
                    (self.replies.sender.clone(), Arc::clone(self.host.dispatcher));
                self.callbacks.spawn(async move {
                    if replies.send(answering.await).await.is_err() {
                        tracing::warn!(
                            app = dispatcher.app(),
                            "the connection of a callback ended before its answer was sent"
                        );
                    }
                });
            }
            Begun::Panicked => self.unanswered(&"it panicked"),
        }
    }

    fn answer_rejected(&mut self, frame: Frame) {
        self.replies
            .ready
            .push(Outgoing { frame: respond::rejected(frame, Duration::ZERO), flushed: None });
    }

    /// Writes them with one flush.
    async fn send_replies(&mut self) -> Result<(), EndReason> {
        let mut flushed = Vec::new();
        for Outgoing { frame, flushed: mark } in self.replies.ready.drain(..) {
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

    /// Says goodbye where somebody listens, and says in the log what got lost. Callbacks that are still under way end by
    /// themselves; there is no other connection that their answers belong to.
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
                "a connection ended before these answers were sent"
            );
        }
        match reason {
            EndReason::Stopping => {
                let missed = self.say_goodbye(reason.to_string()).await;
                if missed > 0 {
                    tracing::warn!(app = self.app(), missed, "{MESSAGES_AFTER_CLOSE}");
                }
            }
            // Whoever closed gets the Close back that the library has ready; if it cannot leave, TCP says it.
            EndReason::Closed => {
                drop(tokio::time::timeout(CLOSE_TIMEOUT, self.socket.flush()).await)
            }
            // Nobody is there any more.
            EndReason::Silent(_) | EndReason::WriteStalled | EndReason::Socket(_) => {}
        }
    }

    /// Closes, and counts the messages that were on their way meanwhile: the protocol has no word for "send no more".
    async fn say_goodbye(&mut self, reason: String) -> usize {
        let mut missed = 0;
        let goodbye = async {
            let frame = CloseFrame { code: CloseCode::Away, reason: reason.into() };
            // Whoever is gone already cannot be told, and that is all a failure here means.
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

/// Which part of which message a frame carries. Without numbers it is the whole, as one official SDK has it too.
fn place(frame: &Frame) -> Result<Place<'_>, String> {
    let number = |key: &str, absent| match frame.header(key) {
        None => Ok(absent),
        Some(text) => text.parse().map_err(|_| format!("`{key}` is {:?}", clip(text))),
    };
    Ok(Place {
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
