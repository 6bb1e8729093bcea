//! The platform's body encryption: AES-256-CBC under SHA-256 of the Encrypt Key, the IV in front, base64 around it.
//!
//! The encryption does not authenticate: a body that decrypts may still be forged. [`signature`](crate::signature) tells.

use std::sync::LazyLock;

use aes::Aes256;
use base64::Engine as _;
use base64::engine::Simd;
use base64::engine::general_purpose::PAD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use sha2::Digest as _;
use sha2::Sha256;

use crate::secret::Secret;

const BLOCK: usize = 16;
/// Vector instructions where the processor has them: a body is two kilobytes.
static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));

/// Reason why an encrypted body could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CipherError {
    /// The `encrypt` field is not standard, padded base64.
    #[error("the `encrypt` field is not base64")]
    NotBase64,
    /// Shorter than an IV and one block, or not a whole number of blocks.
    #[error("{length} bytes of ciphertext are not an IV and whole blocks of 16")]
    Length {
        /// Bytes after base64 decoding.
        length: usize,
    },
    /// The padding does not check out: another Encrypt Key, or bytes that were changed on the way.
    #[error("the body does not decrypt with the configured Encrypt Key")]
    Padding,
}

/// The key of one app.
#[derive(Clone)]
pub struct Cipher {
    key: [u8; 32],
}

impl Cipher {
    /// Derives the key from the app's Encrypt Key as it stands in the console.
    pub fn new(encrypt_key: &Secret) -> Self {
        Self { key: Sha256::digest(encrypt_key.expose().as_bytes()).into() }
    }

    /// Decrypts the value of an `encrypt` field. The result is shorter than the input.
    ///
    /// # Errors
    ///
    /// [`CipherError`] if the text is not base64, is too short, or was encrypted under another key.
    pub fn decrypt(&self, encoded: &str) -> Result<Vec<u8>, CipherError> {
        let mut sealed = BASE64.decode(encoded).map_err(|_| CipherError::NotBase64)?;
        if sealed.len() < 2 * BLOCK || !sealed.len().is_multiple_of(BLOCK) {
            return Err(CipherError::Length { length: sealed.len() });
        }
        let mut iv = [0; BLOCK];
        iv.copy_from_slice(&sealed[..BLOCK]);
        let plain_length = cbc::Decryptor::<Aes256>::new(&self.key.into(), &iv.into())
            .decrypt_padded::<Pkcs7>(&mut sealed[BLOCK..])
            .map_err(|_| CipherError::Padding)?
            .len();
        sealed.drain(..BLOCK);
        sealed.truncate(plain_length);
        Ok(sealed)
    }

    /// Encrypts a body into the value of an `encrypt` field, as the platform does. `iv` must be random.
    pub fn encrypt(&self, plain: &[u8], iv: [u8; BLOCK]) -> String {
        let mut sealed = iv.to_vec();
        sealed.extend(
            cbc::Encryptor::<Aes256>::new(&self.key.into(), &iv.into())
                .encrypt_padded_vec::<Pkcs7>(plain),
        );
        BASE64.encode(sealed)
    }
}
