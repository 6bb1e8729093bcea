//! The formats that the Feishu/Lark platform and the apps that it calls exchange, and nothing of what either side does with
//! them. No I/O, no clock, no async runtime.
//!
//! | module | contents |
//! |---|---|
//! | [`signature`] | the signatures of webhook requests, SHA-256 and SHA-1 |
//! | [`cipher`] | the encrypted body of a webhook request |
//! | [`frame`] | the protobuf frames of the long connection |
//! | [`domain`] | the address of the platform that an app belongs to |
//! | [`platform_code`] | the platform's error codes with their explanations |
//! | [`secret`] | the string type that keys and tokens are in |
//!
//! # Verifying a webhook request
//!
//! ```
//! use lark_wire::cipher::Cipher;
//! use lark_wire::secret::Secret;
//! use lark_wire::signature::same_text;
//! use lark_wire::signature::sha256_signature;
//!
//! let encrypt_key = Secret::new("the app's Encrypt Key");
//! // `X-Lark-Request-Timestamp`, `X-Lark-Request-Nonce`, `X-Lark-Signature`, and the value of the body's `encrypt` field.
//! # let encrypted = Cipher::new(&encrypt_key).encrypt(br#"{"schema":"2.0"}"#, [7; 16]);
//! # let body = format!(r#"{{"encrypt":"{encrypted}"}}"#);
//! # let (timestamp, nonce) = ("1732699047", "nonce");
//! # let received = sha256_signature(timestamp, nonce, &encrypt_key, body.as_bytes());
//! let expected = sha256_signature(timestamp, nonce, &encrypt_key, body.as_bytes());
//! assert!(same_text(&expected, &received));
//! let plain = Cipher::new(&encrypt_key).decrypt(&encrypted)?;
//! assert_eq!(plain, br#"{"schema":"2.0"}"#);
//! # Ok::<(), lark_wire::cipher::CipherError>(())
//! ```
//!
//! # Errors and limits
//!
//! Every reader takes bytes from strangers: it returns an error that says what is wrong, never panics, and never allocates
//! more than a small multiple of its input. A frame has at most 256 headers. No error repeats a key, a token or a body.

pub mod secret;
pub mod cipher;
pub mod signature;
pub mod frame;
pub mod domain;
pub mod platform_code;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod properties;
