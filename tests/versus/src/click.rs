//! Builds the benchmark's click: about a kilobyte, as the platform sends it, and different each time.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::APP_ID;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::TENANT_KEY;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::sender;
use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::SignatureHeaders;
use lark_wire::signature::sha256_signature;
use serde::Deserialize;

/// Bytes of the card's own value, which comes back with the click. They make the click about a kilobyte.
const NOTE_BYTES: usize = 220;

/// Clicks on one button.
pub struct Clicks {
    button: String,
    note: String,
    sealer: Sealer,
}

/// One click on the button.
#[derive(Debug)]
pub struct Click {
    /// The JSON body, before it is encrypted for the webhook.
    pub body: String,
    expected: String,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    toast: Toast<'a>,
}

#[derive(Deserialize)]
struct Toast<'a> {
    r#type: &'a str,
    content: &'a str,
}

impl Clicks {
    /// Creates clicks on a button of that name.
    pub fn on(button: &str) -> Self {
        Self { button: button.to_owned(), note: "n".repeat(NOTE_BYTES), sealer: Sealer::new() }
    }

    /// Creates clicks of that many bytes, by padding the card's value.
    pub(crate) fn of_size(bytes: usize) -> Self {
        let mut clicks = Self::on("ok");
        let missing = bytes.saturating_sub(clicks.next().body.len());
        clicks.note += &"n".repeat(missing);
        clicks
    }

    /// Returns the click of another user.
    pub fn next(&self) -> Click {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (button, note) = (&self.button, &self.note);
        let who = format!("ou_{number:032x}");
        let body = format!(
            r#"{{"schema":"2.0","header":{{"event_id":"versus-{number:032x}","token":"{VERIFICATION_TOKEN}","create_time":"1603977298000000","event_type":"card.action.trigger","tenant_key":"{TENANT_KEY}","app_id":"{APP_ID}"}},"event":{{"operator":{{"tenant_key":"{TENANT_KEY}","user_id":"9a8b7c6d","open_id":"{who}","union_id":"on_{number:032x}"}},"token":"c-{number:040x}","action":{{"value":{{"kind":"leave","days":3,"note":"{note}"}},"tag":"button","name":"{button}","timezone":"Europe/Berlin"}},"host":"im_message","context":{{"open_message_id":"om_{number:032x}","open_chat_id":"oc_0123456789abcdef0123456789abcdef"}}}}}}"#
        );
        Click { body, expected: format!("Clicked by {who}") }
    }

    /// Encrypts and signs a click with the current time.
    pub fn seal(&self, click: &Click) -> Sealed {
        self.sealer.seal(&click.body)
    }

    /// Returns the whole HTTP request, encrypted and signed with the current time.
    pub(crate) fn request(&self, click: &Click) -> Vec<u8> {
        let Sealed { signature, body } = self.seal(click);
        let SignatureHeaders { timestamp, nonce, signature } = signature;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\nX-Lark-Request-Timestamp: {timestamp}\r\nX-Lark-Request-Nonce: {nonce}\r\nX-Lark-Signature: {signature}\r\n\r\n",
            sender::PATH,
            body.len(),
        );
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

impl Click {
    /// Checks that this is the answer to this click.
    pub(crate) fn check(&self, reply: &[u8]) -> anyhow::Result<()> {
        let shown = || String::from_utf8_lossy(reply).into_owned();
        let toast = serde_json::from_slice::<Reply<'_>>(reply)
            .with_context(|| format!("not a toast: {}", shown()))?
            .toast;
        ensure!(
            toast.r#type == "info" && toast.content == self.expected,
            "not the answer to this click: {}",
            shown()
        );
        Ok(())
    }
}

/// A click as the webhook receives it.
#[derive(Debug)]
pub struct Sealed {
    /// Signature headers of the request.
    pub signature: SignatureHeaders,
    /// The body: encrypted JSON in its wrapper.
    pub body: String,
}

/// Encrypts and signs as the platform does.
struct Sealer {
    key: Secret,
    cipher: Cipher,
}

impl Sealer {
    fn new() -> Self {
        let key = Secret::new(ENCRYPT_KEY);
        Self { cipher: Cipher::new(&key), key }
    }

    fn seal(&self, body: &str) -> Sealed {
        let iv = fastrand::u128(..).to_le_bytes();
        let sealed = format!(r#"{{"encrypt":"{}"}}"#, self.cipher.encrypt(body.as_bytes(), iv));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (timestamp, nonce) = (since.as_secs().to_string(), fastrand::u64(..).to_string());
        let signature = sha256_signature(&timestamp, &nonce, &self.key, sealed.as_bytes());
        Sealed { signature: SignatureHeaders { timestamp, nonce, signature }, body: sealed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_another_click_is_not_taken() {
        let clicks = Clicks::on("ok");
        let (one, other) = (clicks.next(), clicks.next());
        let answer = format!(r#"{{"toast":{{"type":"info","content":"{}"}}}}"#, one.expected);
        assert!(one.check(answer.as_bytes()).is_ok());
        assert!(other.check(answer.as_bytes()).is_err());
        assert!(one.check(br#"{"code":500}"#).is_err());
    }

    #[test]
    fn a_click_is_as_large_as_it_is_asked_to_be() {
        for bytes in [1_000, 10_000, 100_000] {
            let size = Clicks::of_size(bytes).next().body.len();
            assert!(size.abs_diff(bytes) < 50, "{size} for {bytes}");
        }
    }
}
