//! The native ceiling: the same axum server with the host's own functions compiled in, one handler, and no sandbox. The host's
//! additional time is the cost of everything else it does.
#![expect(clippy::print_stdout, reason = "it says where it listens to whoever started it")]

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use anyhow::bail;
use aviary::callback::envelope::Inbound;
use aviary::callback::envelope::parse;
use aviary::callback::freshness::UnixSeconds;
use aviary::callback::reply::Outgoing;
use aviary::callback::reply::RawReply;
use aviary::callback::reply::Toast;
use aviary::callback::reply::ToastKind;
use aviary::callback::reply_check::check;
use aviary::callback::verify::RawCallback;
use aviary::callback::verify::Source;
use aviary::callback::verify::WebhookKeys;
use aviary::callback::verify::verify;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use lark_wire::secret::Secret;
use lark_wire::signature::SignatureHeaders;
use mimalloc::MiMalloc;

/// The same allocator as in the host.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let secret = |name| std::env::var(name).map(Secret::new).with_context(|| name);
    let token = secret("AVIARY_VERIFICATION_TOKEN")?;
    let keys = WebhookKeys::new(Some(secret("AVIARY_ENCRYPT_KEY")?), Some(token));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", serde_json::json!({ "webhook": listener.local_addr()?.port() }));
    let routes = Router::new().route("/callback", post(receive)).with_state(Arc::new(keys));
    Ok(axum::serve(listener, routes).await?)
}

async fn receive(State(keys): State<Arc<WebhookKeys>>, head: HeaderMap, body: Bytes) -> Response {
    match answer(&keys, &head, body) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}

fn answer(keys: &WebhookKeys, head: &HeaderMap, body: Bytes) -> anyhow::Result<Bytes> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let source = Source::Webhook { signature: signature(head), now: UnixSeconds(since.as_secs()) };
    let verified = verify(RawCallback { source, body }, keys)?;
    let Inbound::Callback(callback) = parse(verified, keys)? else { bail!("not a callback") };
    let who = &callback.card_action().context("not a click")?.operator.open_id;
    let content = format!("Clicked by {who}");
    let toast = Toast { kind: ToastKind::Info, content, i18n: Vec::new() };
    let raw = RawReply::Card { toast: Some(toast), card: None };
    let reply = check(callback.kind(), raw, None).reply.context("not a legal reply")?;
    match reply.outgoing() {
        Outgoing::Body { json, .. } => Ok(json.clone()),
        Outgoing::Accepted | Outgoing::Redeliver => bail!("not an answer to a click"),
    }
}

fn signature(head: &HeaderMap) -> Option<SignatureHeaders> {
    let text = |name| Some(head.get(name)?.to_str().ok()?.to_owned());
    Some(SignatureHeaders {
        timestamp: text("x-lark-request-timestamp")?,
        nonce: text("x-lark-request-nonce")?,
        signature: text("x-lark-signature")?,
    })
}
