//! Reads a callback from a local file: decrypted, unsigned, in any of the platform's forms.

use bytes::Bytes;

use crate::callback::envelope::EnvelopeError;
use crate::callback::envelope::Inbound;
use crate::callback::envelope::parse;
use crate::callback::model::Callback;
use crate::callback::verify::RawCallback;
use crate::callback::verify::Source;
use crate::callback::verify::VerifyError;
use crate::callback::verify::WebhookKeys;
use crate::callback::verify::verify;

/// Why a file's content is not a callback.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlainError {
    /// The verification refused the body.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The body is not JSON, is encrypted, or has an unknown shape.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The body is a URL check, which no plugin is asked about.
    #[error("it is a URL check, which the host answers itself")]
    UrlCheck,
}

/// Reads `body` as the long connection would deliver it; an old card is read too.
pub fn read(body: Bytes) -> Result<Callback, PlainError> {
    let keys = WebhookKeys::new(None, None);
    let raw = RawCallback { source: Source::LocalFile, body };
    match parse(verify(raw, &keys)?, &keys)? {
        Inbound::Callback(callback) => Ok(*callback),
        Inbound::Challenge(_) => Err(PlainError::UrlCheck),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::model::Kind;

    fn kind(body: &str) -> Result<Kind, PlainError> {
        read(Bytes::copy_from_slice(body.as_bytes())).map(|callback| callback.kind())
    }

    #[test]
    fn every_form_is_read() {
        let header = |event_type: &str| {
            format!(
                r#"{{"schema":"2.0","header":{{"event_type":"{event_type}","token":"any"}},"event":{{}}}}"#
            )
        };
        assert_eq!(kind(&header("card.action.trigger")).unwrap(), Kind::CardAction);
        assert_eq!(kind(&header("url.preview.get")).unwrap(), Kind::LinkPreview);
        assert_eq!(kind(&header("im.message.receive_v1")).unwrap(), Kind::Other);
        let first = r#"{"uuid":"u","type":"event_callback","event":{"type":"out_approval"}}"#;
        assert_eq!(kind(first).unwrap(), Kind::Other);
        let old = r#"{"open_id":"ou_1","token":"c-1","action":{"tag":"button","value":{}}}"#;
        assert_eq!(kind(old).unwrap(), Kind::LegacyCard);
    }

    #[test]
    fn what_is_no_callback_is_said_to_be_none() {
        assert!(matches!(kind("text"), Err(PlainError::Envelope(EnvelopeError::Malformed(_)))));
        let encrypted = kind(r#"{"encrypt":"AA=="}"#);
        assert!(matches!(encrypted, Err(PlainError::Envelope(EnvelopeError::UnknownShape))));
        assert!(matches!(kind("{}"), Err(PlainError::Envelope(EnvelopeError::UnknownShape))));
        let mut not_text = br#"{"uuid":"u","other":"?","event":{"type":"out_approval"}}"#.to_vec();
        not_text.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xca);
        let not_text = read(not_text.into()).map(|callback| callback.kind());
        assert!(matches!(not_text, Err(PlainError::Envelope(EnvelopeError::NotText))));
        let check = r#"{"type":"url_verification","challenge":"x","token":"t"}"#;
        assert!(matches!(kind(check), Err(PlainError::UrlCheck)));
    }
}
