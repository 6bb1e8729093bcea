//! The addresses at which the approval center calls. Each has a token and a key of its own, and answers one kind of callback.
//!
//! Nothing there is signed, and a body is decrypted before anything vouches for it. So every request that is not from the approval
//! center gets the same answer after the same time, which tells nobody how far it came.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use guarded_http::server::Wire;
use tokio::time::Instant;

use crate::callback::approval::ApprovalKind;
use crate::callback::approval::keys::ApprovalError;
use crate::callback::approval::keys::ApprovalKeys;
use crate::callback::model::Kind;
use crate::dispatch::Dispatcher;
use crate::ingress::webhook::Shared;
use crate::ingress::webhook::UNSIGNED_ANSWER;
use crate::ingress::webhook::body::WholeBody;
use crate::ingress::webhook::client::client;
use crate::ingress::webhook::head_bytes;
use crate::ingress::webhook::respond;
use crate::ingress::webhook::respond::Rejection;
use crate::record::Door;
use crate::steps::Step;
use crate::steps::Steps;
use crate::telemetry;

/// One address of one app.
#[derive(Clone, Debug)]
pub struct ApprovalApp {
    /// The callbacks that come there.
    pub kind: ApprovalKind,
    /// The path of the address.
    pub path: String,
    /// The token that vouches for the requests, and the key that encrypts.
    pub keys: ApprovalKeys,
    /// Answers the app's callbacks.
    pub dispatcher: Arc<Dispatcher>,
}

#[derive(Debug)]
struct ApprovalDoor {
    app: ApprovalApp,
    shared: Shared,
}

/// Adds the addresses to the router of the webhooks.
pub(super) fn routes(router: Router, apps: Vec<ApprovalApp>, shared: &Shared) -> Router {
    apps.into_iter().fold(router, |router, app| {
        let path = app.path.clone();
        let door = Arc::new(ApprovalDoor { app, shared: shared.clone() });
        let method = post(receive).fallback(respond::method_not_allowed);
        router.route(&path, method.with_state(door))
    })
}

async fn receive(State(door): State<Arc<ApprovalDoor>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let wire = head.extensions.get::<Arc<Wire>>().cloned();
    // A server that mounts the router has already read the head, and does not say when its first byte came.
    let received = wire.as_ref().and_then(|wire| wire.first_byte()).unwrap_or_else(Instant::now);
    match door.answer(&head, body, received, wire).await {
        Ok(response) => response,
        Err(rejection) => {
            let trusted = door.shared.config.trusted_proxy_header.as_ref();
            let client = client(&head.headers, &head.extensions, trusted);
            let (app, reason) = (door.app.dispatcher.app(), rejection.to_string());
            telemetry::record_rejected(app, Door::Webhook, rejection.kind(), &reason, client);
            respond::rejected(&rejection)
        }
    }
}

impl ApprovalDoor {
    async fn answer(
        &self,
        head: &Parts,
        body: Body,
        received: Instant,
        wire: Option<Arc<Wire>>,
    ) -> Result<Response, Rejection> {
        let Self { app: ApprovalApp { kind, path, keys, dispatcher }, shared } = self;
        let limit = shared.config.max_header_bytes;
        if head_bytes(&head.uri, &head.headers) > limit {
            return Err(Rejection::HeadTooLarge { limit });
        }
        let deadline = Kind::Approval(*kind).deadline(shared.deadline, received);
        let mut steps = Steps::starting(received);
        let limit = shared.config.max_body_bytes;
        let read = shared.read(&head.headers, body, limit, received, deadline);
        let WholeBody { bytes: body, _room: room } = read.await?;
        let place = shared.requests.try_acquire().map_err(|_| Rejection::Busy)?;
        steps.done(Step::Receive);
        let due = Instant::now() + UNSIGNED_ANSWER;
        let callback = match keys.read(*kind, dispatcher.app(), path, &body) {
            Ok(callback) => callback,
            Err(refused) => {
                if matches!(refused, ApprovalError::NotGenuine(_)) {
                    // Strangers who wait take no place away from others.
                    drop((place, room));
                    tokio::time::sleep_until(due).await;
                }
                return Err(refused.into());
            }
        };
        steps.done(Step::Verify);
        let answered = dispatcher.answer(callback, Door::Webhook, deadline, steps).await;
        drop((place, room));
        Ok(respond::answered(answered, wire, |json| keys.seal(*kind, json)))
    }
}
