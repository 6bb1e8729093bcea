//! Verifies and decrypts a webhook request, as a bot has to: `cargo run --package lark-wire --example open_webhook_body`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::SignatureHeaders;
use lark_wire::signature::same_text;
use lark_wire::signature::sha256_signature;

fn main() -> Result<(), Box<dyn Error>> {
    let encrypt_key = Secret::new("the app's Encrypt Key");
    let (headers, encrypted, body) = request(&encrypt_key);

    // First the signature, over the bytes of the body as they arrived. Then nothing that a stranger wrote is read.
    let SignatureHeaders { timestamp, nonce, signature } = &headers;
    let expected = sha256_signature(timestamp, nonce, &encrypt_key, body.as_bytes());
    if !same_text(&expected, signature) {
        return Err("forged: answer with an error, and read no further".into());
    }

    let plain = Cipher::new(&encrypt_key).decrypt(&encrypted)?;
    println!("{}", String::from_utf8(plain)?);
    Ok(())
}

/// A request as the platform sends it: the three headers, the value of `encrypt`, and the whole body.
fn request(encrypt_key: &Secret) -> (SignatureHeaders, String, String) {
    let click = br#"{"schema":"2.0","header":{"event_type":"card.action.trigger"},"event":{}}"#;
    let encrypted = Cipher::new(encrypt_key).encrypt(click, [7; 16]);
    let body = format!(r#"{{"encrypt":"{encrypted}"}}"#);
    let (timestamp, nonce) = ("1732699047".to_owned(), "a nonce".to_owned());
    let signature = sha256_signature(&timestamp, &nonce, encrypt_key, body.as_bytes());
    (SignatureHeaders { timestamp, nonce, signature }, encrypted, body)
}
