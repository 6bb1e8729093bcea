//! Derives the randomness of a recorded call from one seed, so that a replay draws the same.

use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;

/// Derivation context that separates the secure stream from the insecure one.
const SECURE: &[u8] = b"aviary secure random";
const INSECURE: &[u8] = b"aviary insecure random";

/// A seed of 32 bytes, as 64 hex digits in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed from the system's secure randomness.
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex::Buffer::<32>::new().format(&self.0))
    }
}

impl TryFrom<String> for Seed {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut seed = [0; 32];
        hex::decode_to_slice(text, &mut seed)?;
        Ok(Self(seed))
    }
}

/// The random streams of one call. Each is created on first use, because few guests draw any.
#[derive(Debug)]
pub struct Streams {
    seed: [u8; 32],
    secure: Option<blake3::OutputReader>,
    insecure: Option<blake3::OutputReader>,
}

impl Streams {
    pub(super) fn new(Seed(seed): Seed) -> Self {
        Self { seed, secure: None, insecure: None }
    }

    /// Returns the seed for a guest's own generator: half of the seed. The other half is as hard to guess as any key.
    pub fn insecure_seed(&self) -> u128 {
        let mut half = [0; 16];
        half.copy_from_slice(&self.seed[..16]);
        u128::from_le_bytes(half)
    }

    /// Random stream that is fit for keys.
    pub fn secure(&mut self) -> &mut blake3::OutputReader {
        self.secure.get_or_insert_with(|| stream(&self.seed, SECURE))
    }

    /// Random stream for everything that is not secret.
    pub fn insecure(&mut self) -> &mut blake3::OutputReader {
        self.insecure.get_or_insert_with(|| stream(&self.seed, INSECURE))
    }
}

fn stream(seed: &[u8; 32], purpose: &[u8]) -> blake3::OutputReader {
    blake3::Hasher::new_keyed(seed).update(purpose).finalize_xof()
}
