//! Fuzz targets for incoming bodies: verification, decryption and parsing.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::SignatureHeaders;
use lark_wire::signature::sha1_signature;
use lark_wire::signature::sha256_signature;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::freshness::UnixSeconds;
use crate::callback::json_text;
use crate::callback::json_text::mend_surrogates;
use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::callback::verify;
use crate::callback::verify::RawCallback;
use crate::callback::verify::Source;
use crate::callback::verify::VerifyError;
use crate::callback::verify::WebhookKeys;

const ENCRYPT_KEY: &str = "fuzz encrypt key";
const TOKEN: &str = "fuzz-token";
const NOW: u64 = 1_732_699_047;
const IV_BYTES: usize = 16;

/// Parses a body from the long connection: no member may be lost, and a guest must not see the verification token.
pub fn envelope(body: &[u8]) {
    let raw = RawCallback { source: Source::LongConnection, body: Bytes::copy_from_slice(body) };
    let Some(callback) = understood(raw, &keys()) else { return };
    let text = std::str::from_utf8(body).expect("what is no text is refused");
    let mended = mend_surrogates(text);
    assert_eq!(callback.body_bytes(), mended.as_bytes(), "the body is not kept as it came");
    let event = callback.event_json();
    assert!(serde_json::from_str::<IgnoredAny>(&event).is_ok(), "the event is not JSON: {event}");
    let mut expected = json_text::read::<Value>(&mended).expect("only JSON is understood");
    let holds_token = match expected.get("header") {
        Some(Value::Object(_)) => expected.get_mut("header"),
        _ if expected.get("event").is_some() => Some(&mut expected),
        _ => None,
    };
    holds_token.and_then(Value::as_object_mut).map(|object| object.shift_remove("token"));
    let shown = callback.raw().without_secrets();
    assert_eq!(json_text::read::<Value>(&shown).ok(), Some(expected), "a guest is shown {shown}");
    let raw = RawCallback { source: Source::LongConnection, body: shown.into() };
    let again = understood(raw, &keys()).expect("the JSON that a guest is shown can be understood");
    let facts = |callback: &Callback| {
        let texts = [callback.user(), callback.url(), callback.header.event_id.as_deref()];
        (callback.kind(), texts.map(|text| text.map(str::to_owned)), callback.header.created_ms)
    };
    assert_eq!(
        facts(&again),
        facts(&callback),
        "the JSON that a guest is shown means something else"
    );
    assert_eq!(again.tenant_key(), callback.tenant_key());
}

/// Parses a body with the signature of the old card protocol.
pub fn legacy_card(body: &[u8]) {
    let raw = RawCallback { source: signed_with_token(body), body: Bytes::copy_from_slice(body) };
    let Some(callback) = understood(raw, &keys()) else { return };
    let text = std::str::from_utf8(body).expect("what is no text is refused");
    let mended = mend_surrogates(text);
    let value = json_text::read::<Value>(&mended).expect("only JSON is understood");
    let Body::LegacyCard(card) = &callback.body else {
        let found = value.pointer("/header/token").or(value.get("token"));
        assert_eq!(
            found,
            Some(&TOKEN.into()),
            "the signature alone vouches for a {:?}",
            callback.kind()
        );
        return;
    };
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    assert_eq!(card.operator.open_id, text("/open_id").unwrap_or_default());
    assert_eq!(card.operator.user_id.as_deref(), text("/user_id"));
    assert_eq!(card.update_token, text("/token").unwrap_or_default());
    assert_eq!(card.action.tag, text("/action/tag").unwrap_or_default());
    assert_eq!(card.action.timezone.as_deref(), text("/action/timezone").or(text("/timezone")));
    assert_eq!(card.location.open_chat_id.as_deref(), text("/open_chat_id"));
    let of_action = value.pointer("/action/value").filter(|value| !value.is_null());
    let found = card.action.value.as_deref().map(json_text::read::<Value>);
    assert_eq!(found.transpose().ok().flatten().as_ref(), of_action, "the value differs");
    assert_eq!(callback.event_json(), mended, "an old card is shown whole");
}

/// The first byte selects how the rest is sent to the webhook.
pub fn verify(input: &[u8]) {
    let Some((way, rest)) = input.split_first() else { return };
    match way % 4 {
        0 => unsigned(rest),
        1 => signed(rest),
        2 => encrypted(rest),
        _ => ciphertext(rest),
    }
}

/// Asserts which unsigned bodies are accepted, all of which must carry the token: with an Encrypt Key only URL checks, without
/// one callbacks too.
fn unsigned(body: &[u8]) {
    let key = Cipher::new(&Secret::new(ENCRYPT_KEY));
    let plain = serde_json::from_slice::<Value>(body).ok().map(|value| {
        let sealed = value.get("encrypt").and_then(Value::as_str);
        let opened = sealed.and_then(|text| key.decrypt(text).ok());
        opened.map_or(value, |plain| serde_json::from_slice(&plain).unwrap_or_default())
    });
    let holds_token = plain.is_some_and(|value| {
        let found = [value.pointer("/header/token"), value.get("token")];
        found.into_iter().flatten().any(|token| token == TOKEN)
    });
    let only_token = WebhookKeys::new(None, Some(Secret::new(TOKEN)));
    for (keys, takes_callbacks) in [(keys(), false), (only_token, true)] {
        let source = Source::Webhook { signature: None, now: UnixSeconds(NOW) };
        let raw = RawCallback { source, body: Bytes::copy_from_slice(body) };
        let Ok(verified) = verify::verify(raw, &keys) else { continue };
        match parse(verified, &keys) {
            Ok(Inbound::Callback(_)) => {
                assert!(takes_callbacks && holds_token, "an unsigned callback is believed");
            }
            Ok(Inbound::Challenge(_)) => assert!(holds_token, "anybody's URL check is answered"),
            Err(_) => {}
        }
    }
}

/// Two bytes select a bit of the signed body to flip; the changed body must be rejected.
fn signed(input: &[u8]) {
    let Some((place, body)) = input.split_first_chunk::<2>() else { return };
    let verified = |body: &[u8], signature: SignatureHeaders| {
        let source = Source::Webhook { signature: Some(signature), now: UnixSeconds(NOW) };
        verify::verify(RawCallback { source, body: Bytes::copy_from_slice(body) }, &keys())
    };
    let headers = signature(body);
    if let Err(error) = verified(body, headers.clone()) {
        assert!(
            matches!(error, VerifyError::NotJson | VerifyError::Cipher(_)),
            "a genuine signature is refused: {error}"
        );
    }
    let moved = SignatureHeaders { timestamp: (NOW + 1).to_string(), ..headers.clone() };
    assert_eq!(verified(body, moved).err(), Some(VerifyError::BadSignature));
    let mut changed = body.to_vec();
    let at = usize::from(u16::from_le_bytes(*place));
    if !changed.is_empty() {
        let at = at % changed.len();
        changed[at] ^= 1 << (place[1] % 8);
        assert_eq!(verified(&changed, headers).err(), Some(VerifyError::BadSignature));
    }
}

/// Asserts that an encrypted and signed body parses to the same result as the same body that is only signed.
fn encrypted(plain: &[u8]) {
    let sealed = Cipher::new(&Secret::new(ENCRYPT_KEY)).encrypt(plain, [7; IV_BYTES]);
    let envelope = serde_json::json!({ "encrypt": sealed }).to_string();
    let meaning = |body: &[u8]| {
        let source = Source::Webhook { signature: Some(signature(body)), now: UnixSeconds(NOW) };
        let raw = RawCallback { source, body: Bytes::copy_from_slice(body) };
        match parse(verify::verify(raw, &keys()).ok()?, &keys()).ok()? {
            Inbound::Callback(callback) => Some(callback.body_bytes()),
            Inbound::Challenge(challenge) => Some(challenge.into()),
        }
    };
    let is_encrypted_twice =
        serde_json::from_slice::<Value>(plain).is_ok_and(|value| value.get("encrypt").is_some());
    if !is_encrypted_twice {
        assert_eq!(meaning(envelope.as_bytes()), meaning(plain));
    }
}

/// Uses any text as ciphertext: if it decrypts, encrypting the plaintext must give the same text.
fn ciphertext(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let cipher = Cipher::new(&Secret::new(ENCRYPT_KEY));
    let Ok(plain) = cipher.decrypt(text) else { return };
    assert!(plain.len() < text.len(), "decrypting made it longer");
    let sealed = BASE64_STANDARD.decode(text).expect("two decoders agree what base64 is");
    let iv = *sealed.first_chunk::<IV_BYTES>().expect("an initialisation vector is there");
    assert_eq!(cipher.encrypt(&plain, iv), text, "another text decrypts to the same");
}

fn keys() -> WebhookKeys {
    WebhookKeys::new(Some(Secret::new(ENCRYPT_KEY)), Some(Secret::new(TOKEN)))
}

fn signature(body: &[u8]) -> SignatureHeaders {
    let (timestamp, nonce) = (NOW.to_string(), "nonce".to_owned());
    let signature = sha256_signature(&timestamp, &nonce, &Secret::new(ENCRYPT_KEY), body);
    SignatureHeaders { timestamp, nonce, signature }
}

fn signed_with_token(body: &[u8]) -> Source {
    let (timestamp, nonce) = (NOW.to_string(), "nonce".to_owned());
    let signature = sha1_signature(&timestamp, &nonce, &Secret::new(TOKEN), body);
    let signature = Some(SignatureHeaders { timestamp, nonce, signature });
    Source::Webhook { signature, now: UnixSeconds(NOW) }
}

fn understood(raw: RawCallback, keys: &WebhookKeys) -> Option<Callback> {
    match parse(verify::verify(raw, keys).ok()?, keys).ok()? {
        Inbound::Callback(callback) => {
            assert!(callback.kind() == Kind::Other || !callback.header.event_type.is_empty());
            Some(*callback)
        }
        Inbound::Challenge(_) => None,
    }
}
