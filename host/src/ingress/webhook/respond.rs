//! The HTTP answers of the webhook. Always JSON, never a redirect.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use guarded_http::server::Wire;
use hyper::body::Frame;
use hyper::body::SizeHint;
use serde_json::json;

use crate::callback::approval::keys::ApprovalError;
use crate::callback::approval::keys::NotFromApproval;
use crate::callback::envelope::EnvelopeError;
use crate::callback::freshness::FreshnessError;
use crate::callback::reply::Outgoing;
use crate::callback::verify::VerifyError;
use crate::dispatch::Answered;
use crate::dispatch::Flushed;
use crate::ingress::webhook::replay::NotOnce;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the head is larger than {limit} bytes")]
    HeadTooLarge { limit: usize },
    #[error("as many requests are under way as webhook.max_requests allows")]
    Busy,
    #[error(transparent)]
    NotOnce(#[from] NotOnce),
    #[error("the body did not arrive in time")]
    Slow,
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    NotFromApproval(NotFromApproval),
}

impl From<ApprovalError> for Rejection {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::NotGenuine(why) => Self::NotFromApproval(why),
            ApprovalError::Envelope(error) => Self::Envelope(error),
        }
    }
}

impl Rejection {
    /// Returns the kind's name in the metrics.
    pub(super) fn kind(&self) -> &'static str {
        self.row().1
    }

    /// Returns the status, the name in the metrics, and the text for the sender: enough to fix a setting, too little to attack
    /// with.
    fn row(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "body too large"),
            Self::HeadTooLarge { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "head too large")
            }
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "too many requests under way"),
            Self::NotOnce(NotOnce::Replayed) => {
                (StatusCode::UNAUTHORIZED, "replayed", "signature used before")
            }
            Self::NotOnce(NotOnce::BeforeStart { .. }) => {
                (StatusCode::UNAUTHORIZED, "signed_before_start", "signature too old")
            }
            Self::Verify(VerifyError::Freshness(FreshnessError::Stale { .. })) => {
                (StatusCode::UNAUTHORIZED, "stale_signature", "signature too old")
            }
            Self::Verify(VerifyError::Freshness(FreshnessError::NoTime)) => {
                (StatusCode::UNAUTHORIZED, "no_signature_time", "timestamp is not a time")
            }
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "slow", "body not received in time"),
            Self::Broken(_) => (StatusCode::BAD_REQUEST, "broken", "body not received"),
            Self::Verify(VerifyError::BadSignature | VerifyError::NotDecrypted) => {
                (StatusCode::UNAUTHORIZED, "bad_signature", "bad signature")
            }
            Self::Verify(VerifyError::NotJson) => {
                (StatusCode::BAD_REQUEST, "not_json", "body is not JSON")
            }
            Self::Verify(VerifyError::NoEncryptKey) => {
                (StatusCode::BAD_REQUEST, "no_encrypt_key", "body is encrypted")
            }
            Self::Verify(VerifyError::Cipher(_)) => {
                (StatusCode::BAD_REQUEST, "not_decryptable", "body does not decrypt")
            }
            Self::Envelope(EnvelopeError::Malformed(_) | EnvelopeError::NotText) => {
                (StatusCode::BAD_REQUEST, "malformed", "body malformed")
            }
            Self::Envelope(
                EnvelopeError::UnknownShape | EnvelopeError::LegacyOverLongConnection,
            ) => (StatusCode::BAD_REQUEST, "unknown_shape", "not a callback"),
            Self::Envelope(EnvelopeError::TooDeep) => {
                (StatusCode::BAD_REQUEST, "too_deep", "body nested too deep")
            }
            Self::Verify(VerifyError::Unsigned)
            | Self::Envelope(EnvelopeError::MissingSignature) => {
                (StatusCode::UNAUTHORIZED, "missing_signature", "signature missing")
            }
            Self::Envelope(EnvelopeError::WrongKindOfSignature) => {
                (StatusCode::UNAUTHORIZED, "wrong_signature", "bad signature")
            }
            Self::Envelope(EnvelopeError::WrongToken | EnvelopeError::NoVerificationToken) => {
                (StatusCode::UNAUTHORIZED, "bad_token", "bad verification token")
            }
            // All its faults are one to the sender, who could otherwise try keys.
            Self::NotFromApproval(_) => {
                (StatusCode::UNAUTHORIZED, "not_from_approval", "bad token or key")
            }
        }
    }
}

pub(super) fn rejected(rejection: &Rejection) -> Response {
    let (status, _, words) = rejection.row();
    message(status, words)
}

pub(super) async fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "no app has this path")
}

pub(super) async fn method_not_allowed() -> Response {
    message(StatusCode::METHOD_NOT_ALLOWED, "callbacks come by POST")
}

pub(super) fn challenge(challenge: &str) -> Response {
    response(StatusCode::OK, json!({ "challenge": challenge }).to_string().into())
}

/// The delay after which an answer counts as sent if another server holds the connection, where the host cannot see that. The
/// server writes the body at once, and this time covers one wait for the socket.
const UNSEEN_FLUSH: Duration = Duration::from_millis(100);

/// Makes the answer to a callback, of which `seal` encrypts what the platform expects encrypted. Its `Flushed` stays with the body
/// until the last byte is written.
pub(super) fn answered(
    answered: Answered,
    wire: Option<Arc<Wire>>,
    seal: impl FnOnce(&Bytes) -> Bytes,
) -> Response {
    let (status, json) = match answered.reply.outgoing() {
        Outgoing::Body { status, json } => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), seal(json))
        }
        Outgoing::Accepted => (StatusCode::OK, Bytes::from_static(br#"{"msg":"success"}"#)),
        Outgoing::Redeliver => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Bytes::from_static(br#"{"msg":"not handled, please send it again"}"#),
        ),
    };
    let body = AnswerBody { json: Some(json), flushed: Some(answered.flushed), wire };
    with_type(status, Body::new(body))
}

fn message(status: StatusCode, words: &str) -> Response {
    response(status, json!({ "msg": words }).to_string().into())
}

fn response(status: StatusCode, json: Bytes) -> Response {
    with_type(status, Body::from(json))
}

fn with_type(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// A body in one piece that tells the connection when it is handed over.
struct AnswerBody {
    json: Option<Bytes>,
    flushed: Option<Flushed>,
    wire: Option<Arc<Wire>>,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(flushed) = self.flushed.take() {
            match &self.wire {
                Some(wire) => wire.handed_over(Box::new(|| flushed.mark())),
                None => drop(tokio::spawn(async move {
                    tokio::time::sleep(UNSEEN_FLUSH).await;
                    flushed.mark();
                })),
            }
        }
        Poll::Ready(self.json.take().map(|json| Ok(Frame::data(json))))
    }

    fn is_end_stream(&self) -> bool {
        self.json.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.json.as_ref().map_or(0, |json| json.len() as u64))
    }
}
