//! The platform's side of the webhook, by hand: bodies that are encrypted and signed as the platform does it, and as it never
//! would.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::sha1_signature;
use lark_wire::signature::sha256_signature;
use serde_json::Value;
use serde_json::json;

use crate::APP_ID;
use crate::ENCRYPT_KEY;
use crate::TENANT_KEY;
use crate::VERIFICATION_TOKEN;
use crate::http::Request;

/// Path of the webhook in the usual configuration.
pub const PATH: &str = "/callback";
/// A real IV is random; a fixed one makes a failing test repeat exactly.
const IV: [u8; 16] = [7; 16];

/// The key that signs a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// SHA-256 with the Encrypt Key: events and new callbacks.
    EncryptKey,
    /// SHA-1 with the Verification Token: the old card protocol.
    VerificationToken,
    /// SHA-256 with a key that the host does not know.
    Stranger,
}

/// Builds an unsigned request with a plain body, as an app without an Encrypt Key gets it.
pub fn plain(body: impl AsRef<[u8]>) -> Request {
    Request::post(PATH, body.as_ref().to_vec())
}

/// Builds a signed request with a plain body.
pub fn signed(body: impl AsRef<[u8]>, signer: Signer) -> Request {
    signed_ago(body, signer, 0)
}

/// Builds a request that was signed that many seconds ago; a negative number is in the future.
pub fn signed_ago(body: impl AsRef<[u8]>, signer: Signer, seconds: i64) -> Request {
    signed_at(body, signer, &(unix_seconds() - seconds).to_string())
}

/// Builds a request that was signed at the time that this text says.
pub fn signed_at(body: impl AsRef<[u8]>, signer: Signer, timestamp: &str) -> Request {
    let body = body.as_ref();
    let nonce = format!("n-{}", next());
    let signature = match signer {
        Signer::EncryptKey => sha256_signature(timestamp, &nonce, &Secret::new(ENCRYPT_KEY), body),
        Signer::Stranger => {
            sha256_signature(timestamp, &nonce, &Secret::new("a key nobody has"), body)
        }
        Signer::VerificationToken => {
            sha1_signature(timestamp, &nonce, &Secret::new(VERIFICATION_TOKEN), body)
        }
    };
    plain(body)
        .header("X-Lark-Request-Timestamp", timestamp)
        .header("X-Lark-Request-Nonce", nonce)
        .header("X-Lark-Signature", signature)
}

/// Builds a request that is encrypted and signed with the Encrypt Key, as the platform sends everything but old cards.
pub fn sealed(body: impl AsRef<[u8]>) -> Request {
    signed(envelope(body), Signer::EncryptKey)
}

/// Encrypts the body and returns `{"encrypt":"…"}`.
pub fn envelope(body: impl AsRef<[u8]>) -> String {
    let encrypted = Cipher::new(&Secret::new(ENCRYPT_KEY)).encrypt(body.as_ref(), IV);
    json!({ "encrypt": encrypted }).to_string()
}

/// Builds a callback or event of schema 2.0 with an event id of its own.
pub fn callback(event_type: &str, event: Value) -> Value {
    let header = json!({
        "event_id": format!("e2e-{}", next()),
        "token": VERIFICATION_TOKEN,
        "create_time": "1603977298000000",
        "event_type": event_type,
        "tenant_key": TENANT_KEY,
        "app_id": APP_ID,
    });
    let parts = [("schema", Value::from("2.0")), ("header", header), ("event", event)];
    Value::Object(parts.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
}

/// Builds a click on a button of that name.
pub fn click(button: &str) -> Value {
    callback(
        "card.action.trigger",
        json!({
            "operator": { "tenant_key": TENANT_KEY, "open_id": "ou_e2e", "union_id": "on_e2e" },
            "token": format!("c-{:032}", next()),
            "action": { "value": { "key": "value" }, "tag": "button", "name": button },
            "host": "im_message",
            "context": { "open_message_id": "om_e2e", "open_chat_id": "oc_e2e" },
        }),
    )
}

/// Builds a click on a button that carries this value.
pub fn click_with(button: &str, value: impl Into<Value>) -> Value {
    let mut click = click(button);
    click["event"]["action"]["value"] = value.into();
    click
}

/// Builds a click by that user.
pub fn click_by(button: &str, open_id: &str) -> Value {
    let mut click = click(button);
    click["event"]["operator"]["open_id"] = open_id.into();
    click
}

/// Builds a request for the preview of that link.
pub fn preview(url: &str) -> Value {
    callback(
        "url.preview.get",
        json!({
            "operator": { "tenant_key": TENANT_KEY, "open_id": "ou_e2e" },
            "host": "im_message",
            "context": { "url": url, "preview_token": "pt", "open_message_id": "om_e2e", "open_chat_id": "oc_e2e" },
        }),
    )
}

/// Builds an event of schema 2.0.
pub fn event() -> Value {
    callback(
        "im.message.receive_v1",
        json!({ "sender": { "sender_type": "user" }, "message": { "chat_id": "oc_e2e" } }),
    )
}

/// Builds a click on an old card.
pub fn legacy_click(button: &str) -> Value {
    json!({
        "open_id": "ou_e2e",
        "open_message_id": "om_e2e",
        "tenant_key": TENANT_KEY,
        "token": format!("c-{:032}", next()),
        "action": { "value": { "key": "value" }, "tag": "button", "name": button },
    })
}

/// Returns the event id of a schema 2.0 body.
pub fn event_id(body: &Value) -> &str {
    body.pointer("/header/event_id").and_then(Value::as_str).unwrap_or_default()
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

fn next() -> u64 {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    COUNTER.fetch_add(1, Ordering::Relaxed)
}
