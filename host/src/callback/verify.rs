//! Is this body from the platform? Nothing may be believed, and nothing but the encryption wrapper read, before that
//! is known.

use bytes::Bytes;
use serde::Deserialize;

use crate::callback::cipher::Cipher;
use crate::callback::cipher::CipherError;
use crate::callback::freshness::FreshnessError;
use crate::callback::freshness::SignatureWindow;
use crate::callback::freshness::UnixSeconds;
use crate::callback::signature::SignatureHeaders;
use crate::callback::signature::same_text;
use crate::callback::signature::sha1_signature;
use crate::callback::signature::sha256_signature;
use crate::named_fields;
use crate::secret::Secret;

/// Length of a SHA-256 in hex: how events and the callbacks of schema 2.0 are signed.
const SHA256_HEX: usize = 64;
/// Length of a SHA-1 in hex: how the old card protocol is signed.
const SHA1_HEX: usize = 40;

/// A body as it came in, and what came with it. Worth nothing until it is verified.
#[derive(Debug)]
pub struct RawCallback {
    /// The door, and the signature where that door has one.
    pub source: Source,
    /// The HTTP body, or the joined fragments.
    pub body: Bytes,
}

/// How a body came in.
#[derive(Debug)]
pub enum Source {
    /// Over a connection that the host opened with the app's secret: authentic by that, never encrypted, never signed.
    LongConnection,
    /// Over HTTP, from anybody.
    Webhook {
        /// What the headers say, if they say all of it.
        signature: Option<SignatureHeaders>,
        /// When it came.
        now: UnixSeconds,
    },
}

/// What one app's webhook is checked against.
#[derive(Clone, Debug)]
pub struct WebhookKeys {
    encrypt_key: Option<EncryptKey>,
    verification_token: Option<Secret>,
    window: SignatureWindow,
}

#[derive(Clone)]
struct EncryptKey {
    secret: Secret,
    cipher: Cipher,
}

impl std::fmt::Debug for EncryptKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EncryptKey(…)")
    }
}

impl WebhookKeys {
    /// Either may be absent, as in the platform's console. With neither, nothing that comes over HTTP is accepted.
    pub fn new(encrypt_key: Option<Secret>, verification_token: Option<Secret>) -> Self {
        let encrypt_key =
            encrypt_key.map(|secret| EncryptKey { cipher: Cipher::new(&secret), secret });
        Self { encrypt_key, verification_token, window: SignatureWindow::default() }
    }

    /// Signatures are good for this long.
    #[must_use]
    pub fn with_window(mut self, window: SignatureWindow) -> Self {
        self.window = window;
        self
    }

    pub(super) fn verification_token(&self) -> Option<&Secret> {
        self.verification_token.as_ref()
    }
}

/// What vouches for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The connection it came over.
    Connection,
    /// A SHA-256 signature with the Encrypt Key.
    Sha256,
    /// A SHA-1 signature with the Verification Token.
    Sha1,
    /// Nothing yet: the body must carry the Verification Token.
    TokenInBody,
    /// Nothing, though an Encrypt Key is configured: good for the URL check alone, which the platform does not sign.
    UrlCheckOnly,
}

/// A body that is what the platform sent, decrypted. Only [`verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    pub(super) body: Bytes,
    pub(super) proof: Proof,
    signature: Option<String>,
}

impl Verified {
    /// The signature that a genuine sender uses once. None where nothing is signed, or where the age of a signature does
    /// not count, and then neither does its repetition.
    pub fn once(&self) -> Option<&str> {
        self.signature.as_deref()
    }
}

/// Why a body was not believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature is not the one these bytes have.
    #[error(
        "the signature does not match the body; compare the Encrypt Key (or, for old cards, the Verification Token) with the console"
    )]
    BadSignature,
    /// The signature is right, and too old to count.
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// It is encrypted, and no key is configured.
    #[error("the body is encrypted, but no `encrypt_key` is configured for this app")]
    NoEncryptKey,
    /// It is encrypted and cannot be read.
    #[error(transparent)]
    Cipher(#[from] CipherError),
}

/// The wrapper around an encrypted body.
#[derive(Deserialize)]
struct Sealed<'a> {
    #[serde(borrow)]
    encrypt: Option<std::borrow::Cow<'a, str>>,
}

/// Checks the signature over the bytes as they came, and decrypts them.
pub fn verify(raw: RawCallback, keys: &WebhookKeys) -> Result<Verified, VerifyError> {
    let (headers, now) = match raw.source {
        Source::LongConnection => {
            return Ok(Verified { body: raw.body, proof: Proof::Connection, signature: None });
        }
        Source::Webhook { signature, now } => (signature, now),
    };
    let proof = prove(headers.as_ref(), &raw.body, keys)?;
    let signed = headers.filter(|_| matches!(proof, Proof::Sha256 | Proof::Sha1));
    if let Some(headers) = &signed {
        // Only now: the time of a signature that does not match is anybody's.
        keys.window.check(&headers.timestamp, now)?;
    }
    let signature = match keys.window {
        SignatureWindow::Seconds(_) => signed.map(|headers| headers.signature),
        SignatureWindow::Off => None,
    };
    let sealed: Sealed<'_> =
        named_fields::from_slice(&raw.body).map_err(|_| VerifyError::NotJson)?;
    let body = match (sealed.encrypt, &keys.encrypt_key) {
        (None, _) => raw.body,
        (Some(_), None) => return Err(VerifyError::NoEncryptKey),
        (Some(encoded), Some(key)) => key.cipher.decrypt(&encoded)?.into(),
    };
    Ok(Verified { body, proof, signature })
}

fn prove(
    headers: Option<&SignatureHeaders>,
    body: &[u8],
    keys: &WebhookKeys,
) -> Result<Proof, VerifyError> {
    let unsigned =
        if keys.encrypt_key.is_some() { Proof::UrlCheckOnly } else { Proof::TokenInBody };
    let Some(headers) = headers else { return Ok(unsigned) };
    let SignatureHeaders { timestamp, nonce, signature } = headers;
    let (expected, proof) = match (signature.len(), &keys.encrypt_key, &keys.verification_token) {
        (SHA256_HEX, Some(key), _) => {
            (sha256_signature(timestamp, nonce, &key.secret, body), Proof::Sha256)
        }
        (SHA1_HEX, _, Some(token)) => (sha1_signature(timestamp, nonce, token, body), Proof::Sha1),
        // Signed with a key this host was not given: the token in the body has to do, as if it were unsigned.
        (SHA256_HEX, None, _) => return Ok(unsigned),
        _ => return Err(VerifyError::BadSignature),
    };
    if same_text(&expected, signature) { Ok(proof) } else { Err(VerifyError::BadSignature) }
}
