//! The two signatures of webhook requests, in lower-case hex. Both cover the body's bytes as they arrived: compute them before
//! anything parses the body.

use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::secret::Secret;

/// Values of the three `X-Lark-*` headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `X-Lark-Request-Timestamp`: seconds since the Unix epoch, as text.
    pub timestamp: String,
    /// `X-Lark-Request-Nonce`: random text of the platform.
    pub nonce: String,
    /// `X-Lark-Signature`: the signature in lower-case hex.
    pub signature: String,
}

/// Computes `sha256(timestamp + nonce + encrypt key + body)`, the signature of events and of callbacks of schema 2.0.
pub fn sha256_signature(timestamp: &str, nonce: &str, encrypt_key: &Secret, body: &[u8]) -> String {
    hex::encode(chain::<Sha256>(timestamp, nonce, encrypt_key, body))
}

/// Computes `sha1(timestamp + nonce + verification token + body)`, the signature of the old card protocol.
pub fn sha1_signature(
    timestamp: &str,
    nonce: &str,
    verification_token: &Secret,
    body: &[u8],
) -> String {
    hex::encode(chain::<Sha1>(timestamp, nonce, verification_token, body))
}

fn chain<D: sha2::Digest>(
    timestamp: &str,
    nonce: &str,
    secret: &Secret,
    body: &[u8],
) -> sha2::digest::Output<D> {
    D::new()
        .chain_update(timestamp)
        .chain_update(nonce)
        .chain_update(secret.expose())
        .chain_update(body)
        .finalize()
}

/// Compares two texts in a time that does not depend on where they first differ.
pub fn same_text(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}
