//! Turns a payload into the HTTP body and headers of a webhook request: encryption and signature, right or wrong.

use bytes::Bytes;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::SignatureHeaders;
use lark_wire::signature::sha1_signature;
use lark_wire::signature::sha256_signature;
use serde_json::json;

use crate::approval::Approval;
use crate::delivery::Delivery;
use crate::delivery::DeliveryKind;
use crate::delivery::Encryption;
use crate::delivery::Signing;
use crate::identifier;
use crate::settings::Settings;

/// A request ready to be sent.
pub(super) struct Sealed {
    pub(super) body: Bytes,
    pub(super) signature: Option<SignatureHeaders>,
}

/// Returns the request for `payload`, which is the delivery's body for this app.
pub(super) fn seal(app: &Settings, delivery: &Delivery, payload: &Bytes) -> Sealed {
    let body = encrypt(app, delivery, payload);
    let signature = sign(app, delivery, &body);
    let body = match delivery.sealing.signing {
        // White space after the JSON: the body still parses, so only the signature can tell.
        Signing::Tampered => [&body[..], b" "].concat().into(),
        Signing::Platform | Signing::Always | Signing::WrongKey | Signing::Unsigned => body,
    };
    Sealed { body, signature }
}

fn encrypt(app: &Settings, delivery: &Delivery, payload: &Bytes) -> Bytes {
    let other_key = Secret::new(identifier::hex(32));
    let key = match (delivery.sealing.encryption, delivery.kind) {
        (Encryption::Plain, _)
        | (
            Encryption::Platform,
            // Of these, the documentation has only the answer encrypted.
            DeliveryKind::LegacyCard | DeliveryKind::Approval(Approval::ExternalOptions),
        ) => None,
        (Encryption::Platform, _) => app.encrypt_key.as_ref(),
        (Encryption::WrongKey, _) => Some(&other_key),
    };
    let Some(key) = key else { return payload.clone() };
    let iv = std::array::from_fn(|_| fastrand::u8(..));
    json!({"encrypt": Cipher::new(key).encrypt(payload, iv)}).to_string().into()
}

fn sign(app: &Settings, delivery: &Delivery, body: &[u8]) -> Option<SignatureHeaders> {
    let is_legacy = delivery.kind == DeliveryKind::LegacyCard;
    let own_key = if is_legacy { Some(&app.verification_token) } else { app.encrypt_key.as_ref() };
    let other_key = Secret::new(identifier::hex(32));
    let key = match delivery.sealing.signing {
        Signing::Unsigned => None,
        // The official clients answer a URL check before they look at any signature.
        Signing::Platform if delivery.kind == DeliveryKind::Challenge => None,
        // A token in the body is all that vouches for it.
        Signing::Platform if delivery.for_approval().is_some() => None,
        Signing::Platform | Signing::Always | Signing::Tampered => own_key,
        Signing::WrongKey => Some(&other_key),
    }?;
    let seconds = identifier::unix_millis() / 1000;
    let timestamp = seconds.saturating_sub(delivery.sealing.age.as_secs().into()).to_string();
    let nonce = delivery.sealing.nonce.clone().unwrap_or_else(|| identifier::hex(16));
    let algorithm = if is_legacy { sha1_signature } else { sha256_signature };
    let signature = algorithm(&timestamp, &nonce, key, body);
    Some(SignatureHeaders { timestamp, nonce, signature })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config::AppKind;

    fn app(encrypt_key: Option<&str>) -> Settings {
        Settings {
            kind: AppKind::SelfBuilt,
            id: "cli_0123456789abcdef".into(),
            secret: Secret::new("secret"),
            verification_token: Secret::new("verification"),
            encrypt_key: encrypt_key.map(Secret::new),
            tenant_key: "tenant".into(),
        }
    }

    fn sealed(app: &Settings, delivery: &Delivery) -> (Bytes, Sealed) {
        let payload = delivery.body(app);
        let sealed = seal(app, delivery, &payload);
        (payload, sealed)
    }

    fn is_signed_with(sealed: &Sealed, key: &str) -> bool {
        let headers = sealed.signature.as_ref().unwrap();
        let key = Secret::new(key);
        headers.signature
            == sha256_signature(&headers.timestamp, &headers.nonce, &key, &sealed.body)
    }

    #[test]
    fn a_callback_is_encrypted_then_signed() {
        let app = app(Some("key"));
        let (payload, sealed) = sealed(&app, &Delivery::card_action(json!({"a": 1})));
        let envelope: Value = serde_json::from_slice(&sealed.body).unwrap();
        let encoded = envelope["encrypt"].as_str().unwrap();
        assert_eq!(Cipher::new(&Secret::new("key")).decrypt(encoded).unwrap(), payload);
        assert!(is_signed_with(&sealed, "key"));
    }

    #[test]
    fn without_an_encrypt_key_there_is_neither() {
        let (payload, sealed) = sealed(&app(None), &Delivery::event("t", json!({})));
        assert_eq!(sealed.body, payload);
        assert!(sealed.signature.is_none());
    }

    #[test]
    fn a_legacy_card_is_plain_and_signed_with_the_verification_token() {
        let (payload, sealed) = sealed(&app(Some("key")), &Delivery::legacy_card(json!({"a": 1})));
        assert_eq!(sealed.body, payload);
        let headers = sealed.signature.unwrap();
        let token = Secret::new("verification");
        let expected = sha1_signature(&headers.timestamp, &headers.nonce, &token, &sealed.body);
        assert_eq!(headers.signature, expected);
    }

    #[test]
    fn a_url_check_is_encrypted_but_not_signed() {
        let (_, sealed) = sealed(&app(Some("key")), &Delivery::challenge());
        assert!(sealed.signature.is_none());
        assert!(serde_json::from_slice::<Value>(&sealed.body).unwrap()["encrypt"].is_string());
    }

    #[test]
    fn bad_signatures_are_bad_in_one_way_only() {
        let app = app(Some("key"));
        let delivery = Delivery::card_action(json!({}));
        let (_, wrong_key) = sealed(&app, &delivery.clone().signing(Signing::WrongKey));
        assert!(!is_signed_with(&wrong_key, "key"));
        let (_, tampered) = sealed(&app, &delivery.clone().signing(Signing::Tampered));
        assert!(!is_signed_with(&tampered, "key"));
        assert!(serde_json::from_slice::<Value>(&tampered.body).is_ok());
        let (_, unsigned) = sealed(&app, &delivery.signing(Signing::Unsigned));
        assert!(unsigned.signature.is_none());
    }
}
