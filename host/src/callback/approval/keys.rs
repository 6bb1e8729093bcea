//! The token and the key of an address at which the approval center calls: what vouches for its requests, and what the answers
//! are encrypted with.

use bytes::Bytes;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use serde::Deserialize;
use serde_json::Value;

use crate::callback::approval::ApprovalKind;
use crate::callback::approval::flat;
use crate::callback::approval::flat::in_envelope;
use crate::callback::envelope::EnvelopeError;
use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::model::Callback;
use crate::callback::raw_object::RawObject;
use crate::callback::verify::WebhookKeys;
use crate::callback::verify::vouched_for;

/// Why a request is not believed to be from the approval center.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotFromApproval {
    /// The body is not a JSON object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// The body is encrypted, and the address has no key.
    #[error("the body is encrypted, and no `key` is configured for this address")]
    NoKey,
    /// The body cannot be decrypted.
    #[error("the body does not decrypt with the `key` of this address")]
    NotDecrypted,
    /// The body does not have the token of the address, once.
    #[error(
        "the token in the body is not the `token` of this address; compare it with the form's control, or with `action_callback_token` of the approval definition"
    )]
    WrongToken,
}

/// Why a request is not answered by a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The sender may be anybody.
    #[error(transparent)]
    NotGenuine(#[from] NotFromApproval),
    /// The sender is the approval center, and the body cannot be read.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

/// The token and the key of one address.
#[derive(Clone)]
pub struct ApprovalKeys {
    token: Secret,
    cipher: Option<Cipher>,
}

impl std::fmt::Debug for ApprovalKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ApprovalKeys(…)")
    }
}

impl ApprovalKeys {
    /// Makes keys. Without a `key`, nothing is encrypted.
    pub fn new(token: Secret, key: Option<&Secret>) -> Self {
        Self { token, cipher: key.map(Cipher::new) }
    }

    /// Reads a request that came to `path`.
    pub fn read(
        &self,
        kind: ApprovalKind,
        app: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Callback, ApprovalError> {
        #[derive(Deserialize)]
        struct Sealed {
            encrypt: Option<String>,
        }
        let not_an_object = |_| NotFromApproval::NotAnObject;
        let sealed: Sealed = named_fields::from_slice(body).map_err(not_an_object)?;
        let body = match (sealed.encrypt, &self.cipher) {
            (None, _) => body.to_owned(),
            (Some(_), None) => return Err(NotFromApproval::NoKey.into()),
            (Some(encoded), Some(cipher)) => {
                cipher.decrypt(&encoded).map_err(|_| NotFromApproval::NotDecrypted)?
            }
        };
        let body = String::from_utf8(body).map_err(|_| NotFromApproval::NotAnObject)?;
        let members = RawObject::read(&body).map_err(|_| NotFromApproval::NotAnObject)?;
        if !flat::vouched_for(&members, self.token.expose()) {
            return Err(NotFromApproval::WrongToken.into());
        }
        let envelope = in_envelope(kind, app, Some(path), &body)
            .map_err(|error| ApprovalError::Envelope(error.into()))?;
        let no_keys = WebhookKeys::new(None, None);
        match parse(vouched_for(envelope.into()), &no_keys)? {
            Inbound::Callback(callback) => Ok(*callback),
            // The envelope that was made above holds no challenge.
            Inbound::Challenge(_) => Err(EnvelopeError::UnknownShape.into()),
        }
    }

    /// Encrypts what the platform expects encrypted in an answer: the `result` of options, if there is a key.
    pub fn seal(&self, kind: ApprovalKind, answer: &Bytes) -> Bytes {
        let (ApprovalKind::ExternalOptions, Some(cipher)) = (kind, &self.cipher) else {
            return answer.clone();
        };
        // The answer was checked or made by the host, so it is JSON. One without a result says that there are no options.
        let Ok(mut answer_json) = serde_json::from_slice::<Value>(answer) else {
            return answer.clone();
        };
        match answer_json.pointer_mut("/data/result") {
            Some(result) => {
                *result = cipher.encrypt(result.to_string().as_bytes(), rand::random()).into();
                answer_json.to_string().into()
            }
            None => answer.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::model::Kind;

    const KIND: ApprovalKind = ApprovalKind::ExternalOptions;

    fn keys(key: Option<&str>) -> ApprovalKeys {
        ApprovalKeys::new(Secret::new("token"), key.map(Secret::new).as_ref())
    }

    fn read(keys: &ApprovalKeys, body: &str) -> Result<Callback, ApprovalError> {
        keys.read(KIND, "cli_1", "/options", body.as_bytes())
    }

    #[test]
    fn a_request_becomes_a_callback_without_the_token() {
        let plain = r#"{"user_id":"7","employee_id":"abc","token":"token","query":"x"}"#;
        let cipher = Cipher::new(&Secret::new("key"));
        let encrypted = cipher.encrypt(plain.as_bytes(), [7; 16]);
        let encrypted = serde_json::json!({ "encrypt": encrypted }).to_string();
        for (keys, body) in [
            (keys(None), plain),
            (keys(Some("key")), plain),
            (keys(Some("key")), encrypted.as_str()),
        ] {
            let callback = read(&keys, body).unwrap();
            assert_eq!(callback.kind(), Kind::Approval(KIND));
            assert_eq!(callback.header.event_type, "approval.external_options");
            assert_eq!(callback.operator().unwrap().any_id(), Some("abc"));
            let event = r#"{"path":"/options","user_id":"7","employee_id":"abc","query":"x"}"#;
            assert_eq!(callback.event_json(), event);
            assert!(!callback.raw().without_secrets().contains("token"));
        }
    }

    #[test]
    fn whoever_does_not_know_the_token_is_not_believed() {
        let other = Cipher::new(&Secret::new("other")).encrypt(b"{}", [7; 16]);
        let other = serde_json::json!({ "encrypt": other }).to_string();
        for (key, body) in [
            (None, r#"{"token":"other"}"#),
            (None, r#"{"user_id":"7"}"#),
            (None, "[]"),
            (None, "text"),
            (None, r#"{"encrypt":"AA=="}"#),
            (Some("key"), r#"{"encrypt":"AA=="}"#),
            (Some("key"), &other),
        ] {
            let refused = read(&keys(key), body);
            assert!(matches!(refused, Err(ApprovalError::NotGenuine(_))), "{body}: {refused:?}");
        }
    }

    #[test]
    fn the_result_of_options_is_encrypted() {
        let answer = Bytes::from_static(
            br#"{"code":0,"msg":"","data":{"result":{"options":[],"i18nResources":[]}}}"#,
        );
        assert_eq!(keys(None).seal(KIND, &answer), answer);
        assert_eq!(keys(Some("key")).seal(ApprovalKind::QuickApproval, &answer), answer);
        let sealed: Value = serde_json::from_slice(&keys(Some("key")).seal(KIND, &answer)).unwrap();
        let result = sealed["data"]["result"].as_str().unwrap();
        let result = Cipher::new(&Secret::new("key")).decrypt(result).unwrap();
        assert_eq!(result, br#"{"options":[],"i18nResources":[]}"#);
        let failed = Bytes::from_static(br#"{"code":1,"msg":"no"}"#);
        assert_eq!(keys(Some("key")).seal(KIND, &failed), failed);
    }
}
