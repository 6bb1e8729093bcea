//! The bytes of a plugin file and what tells one file from another.

use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use sha2::Digest as _;

/// A file and its digest, which is what tells one from another.
#[derive(Clone, Debug)]
pub struct Wasm {
    bytes: Bytes,
    digest: WasmDigest,
    took: Duration,
}

/// A BLAKE3. What compiled code is found by has to be as hard to imitate as a SHA-256, and is had in a quarter of the time.
pub type WasmDigest = [u8; 32];

impl Wasm {
    /// Takes as long as reading all of it takes: not for an I/O thread.
    pub fn new(bytes: Bytes) -> Self {
        let began = Instant::now();
        let digest = blake3::hash(&bytes).into();
        Self { bytes, digest, took: began.elapsed() }
    }

    pub(in crate::runtime) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(in crate::runtime) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// How long computing the digest took.
    pub(in crate::runtime) fn hash_time(&self) -> Duration {
        self.took
    }

    /// What tells this file from others.
    pub fn digest(&self) -> &WasmDigest {
        &self.digest
    }

    /// The first 12 digits of its SHA-256: what people compare with `sha256sum`. It takes longer than having the code
    /// from the disk does, so that is done meanwhile.
    pub async fn version(&self) -> std::io::Result<String> {
        let bytes = self.bytes.clone();
        let sha256 = tokio::task::spawn_blocking(move || sha2::Sha256::digest(&bytes)).await;
        Ok(hex::encode(&sha256.map_err(std::io::Error::other)?[..6]))
    }
}
