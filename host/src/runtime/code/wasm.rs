//! The bytes of a plugin file, with a digest.

use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use sha2::Digest as _;

/// A file's bytes and their digest.
#[derive(Clone, Debug)]
pub struct Wasm {
    bytes: Bytes,
    digest: WasmDigest,
    took: Duration,
}

/// A BLAKE3 digest. Compiled code is found by it, so it has to be as hard to forge as SHA-256; it takes a quarter of the time.
pub type WasmDigest = [u8; 32];

impl Wasm {
    /// Hashes all of the bytes, which takes too long for an I/O thread.
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

    /// Returns the time that computing the digest took.
    pub(in crate::runtime) fn hash_time(&self) -> Duration {
        self.took
    }

    pub fn digest(&self) -> &WasmDigest {
        &self.digest
    }

    /// Searches the bytes on another thread, because that takes too long for an I/O thread.
    pub async fn find_in<T: Send + 'static>(
        &self,
        search: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> std::io::Result<T> {
        let bytes = self.bytes.clone();
        let found = tokio::task::spawn_blocking(move || search(&bytes)).await;
        found.map_err(std::io::Error::other)
    }

    /// Returns the first 12 hex digits of the SHA-256, which people compare with `sha256sum`. Computing it takes longer than
    /// loading cached code, so both are done at the same time.
    pub async fn version(&self) -> std::io::Result<String> {
        let sha256 = self.find_in(|bytes| sha2::Sha256::digest(bytes)).await?;
        Ok(hex::encode(&sha256[..6]))
    }
}
