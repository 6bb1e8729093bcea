//! The webhook door: receives HTTP requests, verifies them, and answers callbacks or refuses noise.
//!
//! It provides an axum `Router` that any server can mount. The host's own listener in [`server`] also knows when the first byte
//! of a request came and when the last byte of the answer left, which a mounted router does not.

mod approval;
mod body;
mod client;
mod config;
mod replay;
mod respond;
pub mod server;
mod unsigned;

pub use crate::ingress::webhook::approval::ApprovalApp;
pub use crate::ingress::webhook::config::WebhookConfig;
pub use crate::ingress::webhook::replay::Moment;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use guarded_http::server::Wire;
use lark_wire::signature::SignatureHeaders;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::freshness::UnixSeconds;
use crate::callback::reply::Outgoing;
use crate::callback::url_check::MAX_URL_CHECK_BYTES;
use crate::callback::verify::RawCallback;
use crate::callback::verify::Source;
use crate::callback::verify::VerifyError;
use crate::callback::verify::WebhookKeys;
use crate::callback::verify::verify;
use crate::clock::since_epoch;
use crate::deadline::Deadline;
use crate::deadline::DeadlineConfig;
use crate::dispatch::Dispatcher;
use crate::ingress::webhook::body::BodyRoom;
use crate::ingress::webhook::body::WholeBody;
use crate::ingress::webhook::client::client;
use crate::ingress::webhook::replay::ReplayMemory;
use crate::ingress::webhook::respond::Rejection;
use crate::ingress::webhook::unsigned::UnsignedLimit;
use crate::ingress::webhook::unsigned::UnsignedTurn;
use crate::record::Door;
use crate::steps::Step;
use crate::steps::Steps;
use crate::telemetry;
use crate::telemetry::events::UNSIGNED_LIMIT_REACHED;

/// One app behind one path.
#[derive(Clone, Debug)]
pub struct WebhookApp {
    /// The path of the platform's requests, for example `/callback`.
    pub path: String,
    /// The keys that authenticate its requests.
    pub keys: WebhookKeys,
    /// Answers the app's callbacks.
    pub dispatcher: Arc<Dispatcher>,
}

/// The state of a request handler.
#[derive(Debug)]
struct AppDoor {
    app: WebhookApp,
    shared: Shared,
    replays: Arc<ReplayMemory>,
    unsigned: UnsignedLimit,
}

/// The settings and limits that all paths of a host share.
#[derive(Clone, Debug)]
struct Shared {
    deadline: DeadlineConfig,
    config: WebhookConfig,
    bodies: BodyRoom,
    requests: Arc<Semaphore>,
}

/// Time from the end of an unsigned body to its refusal. Decrypting and parsing happen within it, so that the time of an answer
/// does not tell how far they came.
const UNSIGNED_ANSWER: Duration = Duration::from_millis(20);

/// Makes a router with every app at its path, and the addresses for the approval center. Requests that were signed before the
/// host `began` are refused.
pub fn router(
    apps: Vec<WebhookApp>,
    approvals: Vec<ApprovalApp>,
    config: &WebhookConfig,
    deadline: DeadlineConfig,
    began: Moment,
) -> Router {
    let shared = Shared {
        deadline,
        config: config.clone(),
        bodies: BodyRoom::new(config),
        requests: Arc::new(Semaphore::new(config.max_requests)),
    };
    let router = apps.into_iter().fold(Router::new(), |router, app| {
        let path = app.path.clone();
        let door = AppDoor {
            app,
            shared: shared.clone(),
            replays: Arc::new(ReplayMemory::new(config.signature_window_secs, began)),
            unsigned: UnsignedLimit::new(began.steady),
        };
        let method = post(receive).fallback(respond::method_not_allowed);
        router.route(&path, method.with_state(Arc::new(door)))
    });
    approval::routes(router, approvals, &shared)
}

async fn receive(State(door): State<Arc<AppDoor>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let wire = head.extensions.get::<Arc<Wire>>().cloned();
    // A server that mounts the router has already read the head, and does not say when its first byte came.
    let received = wire.as_ref().and_then(|wire| wire.first_byte()).unwrap_or_else(Instant::now);
    match door.answer(&head, body, received, wire).await {
        Ok(response) => response,
        Err(rejection) => {
            let trusted = door.shared.config.trusted_proxy_header.as_ref();
            let client = client(&head.headers, &head.extensions, trusted);
            door.record(&rejection, client);
            respond::rejected(&rejection)
        }
    }
}

impl AppDoor {
    fn record(&self, rejection: &Rejection, client: Option<IpAddr>) {
        let (app, reason) = (self.app.dispatcher.app(), rejection.to_string());
        telemetry::record_rejected(app, Door::Webhook, rejection.kind(), &reason, client);
    }

    async fn answer(
        &self,
        head: &Parts,
        body: Body,
        received: Instant,
        wire: Option<Arc<Wire>>,
    ) -> Result<Response, Rejection> {
        let Shared { config, requests, .. } = &self.shared;
        let limit = config.max_header_bytes;
        if head_bytes(&head.uri, &head.headers) > limit {
            return Err(Rejection::HeadTooLarge { limit });
        }
        let deadline = self.shared.deadline.starting(received);
        let signature = signature(&head.headers);
        if signature.is_none() && self.app.keys.has_encrypt_key() {
            let limit = config.max_body_bytes.min(MAX_URL_CHECK_BYTES);
            let read = self.shared.read(&head.headers, body, limit, received, deadline).await;
            let due = Instant::now() + UNSIGNED_ANSWER;
            let answer = self.unsigned(head, read);
            if answer.is_err() {
                tokio::time::sleep_until(due).await;
            }
            return answer;
        }
        let source = Source::Webhook { signature, now: now() };
        let mut steps = Steps::starting(received);
        let limit = config.max_body_bytes;
        let WholeBody { bytes: body, _room } =
            self.shared.read(&head.headers, body, limit, received, deadline).await?;
        let _place = requests.try_acquire().map_err(|_| Rejection::Busy)?;
        steps.done(Step::Receive);
        let verified = verify(RawCallback { source, body }, &self.app.keys)?;
        let admission =
            verified.once().map(|signed| self.replays.admit(signed, Moment::now())).transpose()?;
        let (response, answered) = match parse(verified, &self.app.keys)? {
            Inbound::Challenge(challenge) => (respond::challenge(&challenge), true),
            Inbound::Callback(callback) => {
                steps.done(Step::Verify);
                let dispatcher = &self.app.dispatcher;
                let answered = dispatcher.answer(*callback, Door::Webhook, deadline, steps).await;
                // A request that the platform is asked to send again must not count as a replay then.
                let again = matches!(answered.reply.outgoing(), Outgoing::Redeliver);
                (respond::answered(answered, wire, Bytes::clone), !again)
            }
        };
        if let Some(admission) = admission.filter(|_| answered) {
            admission.keep();
        }
        Ok(response)
    }

    /// Answers the console's URL check. Every other unsigned request gets the same refusal.
    fn unsigned(
        &self,
        head: &Parts,
        body: Result<WholeBody, Rejection>,
    ) -> Result<Response, Rejection> {
        let refused = Rejection::Verify(VerifyError::Unsigned);
        let WholeBody { bytes: body, _room } = match body {
            Err(Rejection::TooLarge { .. }) => return Err(refused),
            body => body?,
        };
        let trusted = self.shared.config.trusted_proxy_header.as_ref();
        let client = client(&head.headers, &head.extensions, trusted);
        if let UnsignedTurn::Refused { warn } = self.unsigned.take(client, Instant::now()) {
            if warn {
                let app = self.app.dispatcher.app();
                tracing::warn!(
                    app,
                    client = client.map(tracing::field::display),
                    "{UNSIGNED_LIMIT_REACHED}"
                );
            }
            return Err(refused);
        }
        let source = Source::Webhook { signature: None, now: now() };
        match parse(verify(RawCallback { source, body }, &self.app.keys)?, &self.app.keys)? {
            Inbound::Challenge(challenge) => Ok(respond::challenge(&challenge)),
            Inbound::Callback(_) => Err(refused),
        }
    }
}

impl Shared {
    async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        limit: usize,
        received: Instant,
        deadline: Deadline,
    ) -> Result<WholeBody, Rejection> {
        let announced = headers
            .get("content-length")
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Rejection::TooLarge { limit });
        }
        let due = deadline.soft().min(received + self.config.body_timeout());
        let read = tokio::time::timeout_at(due, self.bodies.read(body, limit)).await;
        read.unwrap_or(Err(Rejection::Slow))
    }
}

/// Estimates the head's bytes on the wire: `name: value` and a line end for each header.
fn head_bytes(uri: &Uri, headers: &HeaderMap) -> usize {
    const AROUND_A_HEADER: usize = 4;
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let lines = headers.iter();
    path + lines
        .map(|(name, value)| name.as_str().len() + value.len() + AROUND_A_HEADER)
        .sum::<usize>()
}

fn now() -> UnixSeconds {
    // A clock before 1970 makes every signature stale, and the error then says so.
    UnixSeconds(since_epoch().as_secs())
}

/// Reads the three signature headers; `None` unless all are present.
fn signature(headers: &HeaderMap) -> Option<SignatureHeaders> {
    let text = |name| {
        headers.get(name)?.to_str().ok().filter(|text: &&str| !text.is_empty()).map(str::to_owned)
    };
    Some(SignatureHeaders {
        timestamp: text("x-lark-request-timestamp")?,
        nonce: text("x-lark-request-nonce")?,
        signature: text("x-lark-signature")?,
    })
}
