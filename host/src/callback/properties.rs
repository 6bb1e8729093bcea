//! Properties of bodies from strangers: nothing panics, nothing grows, and no body with a changed bit is believed.

use bytes::Bytes;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::SignatureHeaders;
use lark_wire::signature::sha1_signature;
use lark_wire::signature::sha256_signature;
use proptest::prelude::*;
use serde_json::json;

use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::freshness::UnixSeconds;
use crate::callback::verify::RawCallback;
use crate::callback::verify::Source;
use crate::callback::verify::WebhookKeys;
use crate::callback::verify::verify;

const NOW: u64 = 1_732_699_047;

fn keys() -> WebhookKeys {
    WebhookKeys::new(Some(Secret::new("encrypt key")), Some(Secret::new("token")))
}

fn is_believed(body: &[u8], signature: Option<SignatureHeaders>) -> bool {
    let source = Source::Webhook { signature, now: UnixSeconds(NOW) };
    let raw = RawCallback { source, body: Bytes::copy_from_slice(body) };
    let callback = verify(raw, &keys()).map(|verified| parse(verified, &keys()));
    matches!(callback, Ok(Ok(Inbound::Callback(_))))
}

/// Returns a click as the platform sends it, encrypted, and its signature.
fn sealed(value: &str, iv: [u8; 16]) -> (Vec<u8>, SignatureHeaders) {
    let click = json!({
        "schema": "2.0",
        "header": { "event_id": "e", "token": "token", "event_type": "card.action.trigger" },
        "event": { "action": { "value": value, "tag": "button" } },
    });
    let encrypted =
        Cipher::new(&Secret::new("encrypt key")).encrypt(click.to_string().as_bytes(), iv);
    let body = json!({ "encrypt": encrypted }).to_string().into_bytes();
    let (timestamp, nonce) = (NOW.to_string(), "nonce".to_owned());
    let signature = sha256_signature(&timestamp, &nonce, &Secret::new("encrypt key"), &body);
    (body, SignatureHeaders { timestamp, nonce, signature })
}

/// Returns an old card in plain text, and its signature.
fn old_card(value: &str) -> (Vec<u8>, SignatureHeaders) {
    let body = json!({ "open_id": "ou", "token": "c-1", "action": { "value": { "v": value } } });
    let body = body.to_string().into_bytes();
    let (timestamp, nonce) = (NOW.to_string(), "nonce".to_owned());
    let signature = sha1_signature(&timestamp, &nonce, &Secret::new("token"), &body);
    (body, SignatureHeaders { timestamp, nonce, signature })
}

fn flip(bytes: &mut [u8], at: prop::sample::Index, bit: u8) {
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
}

/// Generates JSON that is almost a callback: its keys and values are real, their places are not.
fn near_miss() -> impl Strategy<Value = serde_json::Value> {
    let words = prop::sample::select(vec![
        "schema",
        "2.0",
        "header",
        "event",
        "event_type",
        "card.action.trigger",
        "url.preview.get",
        "action",
        "value",
        "token",
        "challenge",
        "type",
        "url_verification",
        "encrypt",
        "operator",
        "context",
        "options",
        "form_value",
        "uuid",
        "ts",
        "create_time",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        words.clone().prop_map(serde_json::Value::from),
        ".{0,20}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let object = proptest::collection::vec((words.clone(), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(serde_json::Value::from),
            object.prop_map(|entries| {
                let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
                serde_json::Value::Object(entries.collect())
            }),
        ]
    })
}

proptest! {
    // The failure itself prints the smallest failing input; no file is written beside the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_body_or_signature_changed_by_one_bit_is_not_believed(
        value in ".{0,30}",
        iv in any::<[u8; 16]>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        for (body, headers) in [sealed(&value, iv), old_card(&value)] {
            prop_assert!(is_believed(&body, Some(headers.clone())));
            let mut changed = body.clone();
            flip(&mut changed, at, bit);
            prop_assert!(!is_believed(&changed, Some(headers.clone())));
            let mut letters = headers.signature.clone().into_bytes();
            flip(&mut letters, at, bit);
            // HTTP rejects a header that is not text before it gets here.
            if let Ok(signature) = String::from_utf8(letters) {
                let other = SignatureHeaders { signature, ..headers.clone() };
                prop_assert!(!is_believed(&body, Some(other)));
            }
            prop_assert!(!is_believed(&body, None), "nor without a signature");
            let moved = SignatureHeaders { timestamp: (NOW + 1).to_string(), ..headers };
            prop_assert!(!is_believed(&body, Some(moved)), "nor with another time");
        }
    }

    #[test]
    fn any_bytes_are_turned_away(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        timestamp in ".{0,20}",
        nonce in ".{0,20}",
        signature in "[0-9a-f]{40}|[0-9a-f]{64}|.{0,70}",
    ) {
        prop_assert!(!is_believed(&body, None));
        let headers = SignatureHeaders { timestamp, nonce, signature };
        prop_assert!(!is_believed(&body, Some(headers)));
    }

    #[test]
    fn any_json_over_the_connection_is_understood_or_an_error(body in near_miss()) {
        let text = body.to_string();
        let raw = RawCallback { source: Source::LongConnection, body: text.clone().into() };
        if let Ok(Inbound::Callback(callback)) = verify(raw, &keys()).map_or_else(
            |error| Err(error.to_string()),
            |verified| parse(verified, &keys()).map_err(|error| error.to_string()),
        ) {
            prop_assert_eq!(&callback.raw[..], text.as_bytes(), "kept as it came");
        }
    }

    #[test]
    fn any_json_from_a_stranger_is_never_believed(body in near_miss()) {
        prop_assert!(!is_believed(body.to_string().as_bytes(), None));
    }
}
