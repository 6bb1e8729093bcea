//! Decides whether a body is from the platform. Until that is known nothing in it may be believed, and nothing but the encryption
//! wrapper may be read.

use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use lark_wire::cipher::Cipher;
use lark_wire::cipher::CipherError;
use lark_wire::secret::Secret;
use lark_wire::signature::SignatureHeaders;
use lark_wire::signature::same_text;
use lark_wire::signature::sha1_signature;
use lark_wire::signature::sha256_signature;
use serde::Deserialize;

use crate::callback::freshness::FreshnessError;
use crate::callback::freshness::SignatureWindow;
use crate::callback::freshness::UnixSeconds;
use crate::callback::url_check;

/// Length of a SHA-256 in hex: how events and the callbacks of schema 2.0 are signed.
const SHA256_HEX: usize = 64;
/// Length of a SHA-1 in hex: how the old card protocol is signed.
const SHA1_HEX: usize = 40;

/// A body as it came in, with the evidence of its origin. It must not be trusted until it is verified.
#[derive(Debug)]
pub struct RawCallback {
    /// The door, and the signature if that door has one.
    pub source: Source,
    /// The HTTP body, or the joined fragments.
    pub body: Bytes,
}

/// The way a body came in.
#[derive(Debug)]
pub enum Source {
    /// Over a connection that the host opened with the app's secret: that makes it authentic. Never encrypted, never signed.
    LongConnection,
    /// From a file on this machine: nothing proves it authentic, and its answer goes to nobody else.
    LocalFile,
    /// Over HTTP, from anybody.
    Webhook {
        /// The signature headers; `None` unless all of them are present.
        signature: Option<SignatureHeaders>,
        /// The time at which the request came in.
        now: UnixSeconds,
    },
}

/// The keys that authenticate one app's webhook requests.
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
    /// Makes keys; either may be absent, as in the platform's console. With neither, nothing that comes over HTTP is accepted.
    pub fn new(encrypt_key: Option<Secret>, verification_token: Option<Secret>) -> Self {
        let encrypt_key =
            encrypt_key.map(|secret| EncryptKey { cipher: Cipher::new(&secret), secret });
        Self { encrypt_key, verification_token, window: SignatureWindow::default() }
    }

    /// Sets how long signatures are accepted.
    #[must_use]
    pub fn with_window(mut self, window: SignatureWindow) -> Self {
        self.window = window;
        self
    }

    pub(super) fn verification_token(&self) -> Option<&Secret> {
        self.verification_token.as_ref()
    }

    /// Returns true if the platform signs its requests to this app, which it does for all but the URL check.
    pub fn has_encrypt_key(&self) -> bool {
        self.encrypt_key.is_some()
    }
}

/// The proof that a body is authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The connection it came over.
    Connection,
    /// None is needed for a file on this machine.
    LocalFile,
    /// A SHA-256 signature with the Encrypt Key.
    Sha256,
    /// A SHA-1 signature with the Verification Token.
    Sha1,
    /// A token of its own, which was checked and taken out: a callback of the approval center.
    OwnToken,
    /// No proof yet: the body must carry the Verification Token.
    TokenInBody,
}

/// A decrypted body with its proof; a token in the body is checked when it is parsed. Only [`verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    pub(super) content: VerifiedContent,
}

#[derive(Debug)]
pub(super) enum VerifiedContent {
    /// A complete, unsigned URL check; holds the challenge to send back.
    UrlCheck(String),
    /// Any other body, not parsed yet.
    Body { body: Bytes, proof: Proof, signature: Option<Signed> },
}

/// A checked signature. A genuine sender uses each one once.
#[derive(Debug)]
pub struct Signed {
    /// The text of the header.
    pub signature: String,
    /// The time of signing, by the sender's clock.
    pub at: UnixSeconds,
}

impl Signed {
    /// Returns the time of signing as wall clock time.
    pub fn time(&self) -> SystemTime {
        let since_epoch = Duration::from_secs(self.at.0);
        SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl Verified {
    /// Returns the signature, which a genuine sender uses once. `None` if the body is not signed, or if signatures of any age are
    /// accepted, because then repeated ones are accepted too.
    pub fn once(&self) -> Option<&Signed> {
        match &self.content {
            VerifiedContent::UrlCheck(_) => None,
            VerifiedContent::Body { signature, .. } => signature.as_ref(),
        }
    }
}

/// Why a body was not believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature does not match these bytes.
    #[error(
        "the signature does not match the body; compare the Encrypt Key (or, for old cards, the Verification Token) with the console"
    )]
    BadSignature,
    /// An Encrypt Key is configured, so the platform signs everything but its URL check, and this is not a good URL check. All
    /// faults of a URL check, decryption included, give this one error: an answer that depended on the padding or on the
    /// decrypted text would give that text away.
    #[error(
        "the request carries no signature though an `encrypt_key` is configured, and it is not a URL check of this app: either a stranger sent it, or the keys here are not those in the console"
    )]
    Unsigned,
    /// The signature is correct, but its time is out of the window.
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The body is encrypted, and no Encrypt Key is configured.
    #[error("the body is encrypted, but no `encrypt_key` is configured for this app")]
    NoEncryptKey,
    /// The body is encrypted but signed with the Verification Token, as old cards are, which the platform never encrypts.
    #[error(
        "the body is encrypted and signed with the Verification Token; what is encrypted is signed with the Encrypt Key"
    )]
    NotDecrypted,
    /// The body cannot be decrypted.
    #[error(transparent)]
    Cipher(#[from] CipherError),
}

/// The wrapper around an encrypted body.
#[derive(Deserialize)]
struct EncryptedBody<'a> {
    #[serde(borrow)]
    encrypt: Option<std::borrow::Cow<'a, str>>,
}

/// Checks the signature over the raw bytes, and then decrypts them.
pub fn verify(raw: RawCallback, keys: &WebhookKeys) -> Result<Verified, VerifyError> {
    let RawCallback { source, body } = raw;
    let (headers, now) = match source {
        Source::LongConnection => return Ok(believed(body, Proof::Connection, None)),
        Source::LocalFile => return Ok(believed(body, Proof::LocalFile, None)),
        Source::Webhook { signature, now } => (signature, now),
    };
    let proof = match (&headers, &keys.encrypt_key) {
        (Some(headers), _) => prove(headers, &body, keys)?,
        (None, None) => Proof::TokenInBody,
        (None, Some(key)) => {
            let token = keys.verification_token.as_ref();
            let challenge = url_check::read(&body, &key.cipher, token);
            let content = VerifiedContent::UrlCheck(challenge.ok_or(VerifyError::Unsigned)?);
            return Ok(Verified { content });
        }
    };
    let signature = headers
        .filter(|_| matches!(proof, Proof::Sha256 | Proof::Sha1))
        // The time is checked only now: before the signature is, anybody can choose it.
        .map(|headers| keys.window.check(&headers.timestamp, now).map(|at| (headers.signature, at)))
        .transpose()?
        .and_then(|(signature, at)| Some(Signed { signature, at: at? }));
    let sealed: EncryptedBody<'_> =
        named_fields::from_slice(&body).map_err(|_| VerifyError::NotJson)?;
    let body = match (sealed.encrypt, proof, &keys.encrypt_key) {
        (None, _, _) => body,
        // The platform does not encrypt old cards, and only a signature with the Encrypt Key may have a body decrypted.
        (Some(_), Proof::Sha1, Some(_)) => return Err(VerifyError::NotDecrypted),
        (Some(_), _, None) => return Err(VerifyError::NoEncryptKey),
        (Some(encoded), _, Some(key)) => key.cipher.decrypt(&encoded)?.into(),
    };
    Ok(believed(body, proof, signature))
}

/// Marks a body as authentic that its own token has vouched for.
pub(super) fn vouched_for(body: Bytes) -> Verified {
    believed(body, Proof::OwnToken, None)
}

fn believed(body: Bytes, proof: Proof, signature: Option<Signed>) -> Verified {
    Verified { content: VerifiedContent::Body { body, proof, signature } }
}

/// Checks the signature and returns the proof that it gives.
fn prove(
    headers: &SignatureHeaders,
    body: &[u8],
    keys: &WebhookKeys,
) -> Result<Proof, VerifyError> {
    let SignatureHeaders { timestamp, nonce, signature } = headers;
    let (expected, proof) = match (signature.len(), &keys.encrypt_key, &keys.verification_token) {
        (SHA256_HEX, Some(key), _) => {
            (sha256_signature(timestamp, nonce, &key.secret, body), Proof::Sha256)
        }
        (SHA1_HEX, _, Some(token)) => (sha1_signature(timestamp, nonce, token, body), Proof::Sha1),
        // This host has no key to check the signature: the token in the body must prove it authentic, as if it were unsigned.
        (SHA256_HEX, None, _) => return Ok(Proof::TokenInBody),
        _ => return Err(VerifyError::BadSignature),
    };
    if same_text(&expected, signature) { Ok(proof) } else { Err(VerifyError::BadSignature) }
}
