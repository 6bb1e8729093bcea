//! The webhook door: HTTP in, verified, answered, and told apart from noise.

mod respond;
mod server;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::signature::SignatureHeaders;
use crate::callback::verify::RawCallback;
use crate::callback::verify::Source;
use crate::callback::verify::WebhookKeys;
use crate::callback::verify::verify;
use crate::deadline::Deadline;
use crate::deadline::DeadlineConfig;
use crate::dispatch::Dispatcher;
use crate::ingress::webhook::respond::Rejection;
use crate::ingress::webhook::wire::Wire;
use crate::shutdown::Shutdown;
use crate::telemetry;
use crate::telemetry::Door;

/// `[webhook]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The largest body that is read. The platform's callbacks are a few kilobytes.
    #[serde(default = "default_max_body")]
    pub max_body_bytes: usize,
    /// How many connections may be open at once.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
}

fn default_max_body() -> usize {
    4 << 20
}

fn default_max_connections() -> usize {
    1024
}

/// A sender that has not finished its headers by then is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// One app behind one path.
#[derive(Clone, Debug)]
pub struct WebhookApp {
    /// Where the platform posts to, for example `/callback`.
    pub path: String,
    /// What its requests are checked against.
    pub keys: WebhookKeys,
    /// Who answers.
    pub dispatcher: Dispatcher,
}

/// What a request handler needs.
#[derive(Debug)]
struct AppDoor {
    app: WebhookApp,
    deadline: DeadlineConfig,
    max_body_bytes: usize,
}

/// Serves every app's path until the host stops, then finishes what is under way.
pub async fn run(
    listener: TcpListener,
    apps: Vec<WebhookApp>,
    config: WebhookConfig,
    deadline: DeadlineConfig,
    shutdown: Shutdown,
) {
    let router = router(apps, &config, deadline);
    server::serve(listener, router, config.max_connections, shutdown).await;
}

fn router(apps: Vec<WebhookApp>, config: &WebhookConfig, deadline: DeadlineConfig) -> Router {
    let paths = apps.into_iter().fold(Router::new(), |router, app| {
        let path = app.path.clone();
        let door = Arc::new(AppDoor { app, deadline, max_body_bytes: config.max_body_bytes });
        router.route(&path, post(receive).with_state(door))
    });
    paths.fallback(respond::not_found).method_not_allowed_fallback(respond::method_not_allowed)
}

async fn receive(
    State(door): State<Arc<AppDoor>>,
    Extension(wire): Extension<Arc<Wire>>,
    request: Request,
) -> Response {
    let deadline = door.deadline.starting(wire.first_byte().unwrap_or_else(Instant::now));
    match door.answer(request, deadline, &wire).await {
        Ok(response) => response,
        Err(rejection) => {
            telemetry::record_rejected(
                door.app.dispatcher.app(),
                Door::Webhook,
                rejection.kind(),
                &rejection.to_string(),
                None,
            );
            respond::rejected(&rejection)
        }
    }
}

impl AppDoor {
    async fn answer(
        &self,
        request: Request,
        deadline: Deadline,
        wire: &Arc<Wire>,
    ) -> Result<Response, Rejection> {
        let (head, body) = request.into_parts();
        let source = Source::Webhook(signature_headers(&head.headers));
        let body = self.read(&head.headers, body, deadline).await?;
        let verified = verify(RawCallback { source, body }, &self.app.keys)?;
        match parse(verified, &self.app.keys)? {
            Inbound::Challenge(challenge) => Ok(respond::challenge(&challenge)),
            Inbound::Callback(callback) => {
                let answered = self.app.dispatcher.answer(*callback, Door::Webhook, deadline).await;
                Ok(respond::answered(answered, Arc::clone(wire)))
            }
        }
    }

    async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        deadline: Deadline,
    ) -> Result<Bytes, Rejection> {
        let limit = self.max_body_bytes;
        let announced = headers
            .get("content-length")
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Rejection::TooLarge { limit });
        }
        let collected =
            tokio::time::timeout_at(deadline.soft(), Limited::new(body, limit).collect()).await;
        match collected {
            Err(_elapsed) => Err(Rejection::Slow),
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge { limit }),
            Ok(Err(error)) => Err(Rejection::Broken(error.to_string())),
        }
    }
}

/// All three, or as good as none.
fn signature_headers(headers: &HeaderMap) -> Option<SignatureHeaders> {
    let text = |name| {
        headers.get(name)?.to_str().ok().filter(|text: &&str| !text.is_empty()).map(str::to_owned)
    };
    Some(SignatureHeaders {
        timestamp: text("x-lark-request-timestamp")?,
        nonce: text("x-lark-request-nonce")?,
        signature: text("x-lark-signature")?,
    })
}
