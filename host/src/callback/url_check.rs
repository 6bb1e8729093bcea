//! The console's URL check, where an Encrypt Key is configured: the only request that the platform sends without a signature.
//!
//! Anybody can send one, and CBC lets a stranger cut and join the blocks of recorded bodies. So it is accepted only in exactly
//! its documented form, and a refusal never says how far the check got.

use std::borrow::Cow;

use lark_wire::cipher::Cipher;
use lark_wire::secret::Secret;
use lark_wire::signature::same_text;
use serde::Deserialize;

/// The largest body that can be a URL check, in bytes. Encrypted, one with the platform's challenge of 36 characters and its
/// token of 32 has 230 bytes.
pub const MAX_URL_CHECK_BYTES: usize = 1024;

/// The encryption wrapper without any other member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptedCheck<'a> {
    #[serde(borrow)]
    encrypt: Cow<'a, str>,
}

/// The three documented members and no other, because another member could hold text of somebody else's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UrlCheck<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    challenge: Cow<'a, str>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
}

/// Returns the challenge to send back if the body is a good URL check: encrypted, or plain if a Verification Token authenticates
/// it, as an old card's is.
pub(super) fn read(body: &[u8], cipher: &Cipher, token: Option<&Secret>) -> Option<String> {
    if body.len() > MAX_URL_CHECK_BYTES {
        return None;
    }
    match (named_fields::from_slice::<EncryptedCheck<'_>>(body), token) {
        (Ok(sealed), _) => challenge(&cipher.decrypt(&sealed.encrypt).ok()?, token),
        (Err(_), Some(_)) => challenge(body, token),
        (Err(_), None) => None,
    }
}

fn challenge(plain: &[u8], token: Option<&Secret>) -> Option<String> {
    let check: UrlCheck<'_> = named_fields::from_slice(plain).ok()?;
    let vouched = match (token, &check.token) {
        (Some(expected), Some(found)) => same_text(expected.expose(), found),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let is_good = vouched && check.kind == "url_verification" && is_random_text(&check.challenge);
    is_good.then(|| check.challenge.into_owned())
}

/// Accepts the letters, digits and punctuation of random texts; the platform's challenges are letters, digits and dashes. A block
/// from another body decrypts to sixteen arbitrary bytes before it, which are all such characters once in four thousand million
/// times: so no text of another body comes back as a challenge.
fn is_random_text(challenge: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(&byte);
    !challenge.is_empty() && challenge.bytes().all(is_usual)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "066zT6pS4QCbgj5Do145GfDbbagCHGgF";
    const CHALLENGE: &str = "ajls384kdjx98XX-ajls384kdjx98XX-ajls";

    fn cipher() -> Cipher {
        Cipher::new(&Secret::new("encrypt key"))
    }

    fn check(challenge: &str, token: &str) -> String {
        json!({ "challenge": challenge, "token": token, "type": "url_verification" }).to_string()
    }

    fn sealed(plain: &str) -> String {
        json!({ "encrypt": cipher().encrypt(plain.as_bytes(), [7; 16]) }).to_string()
    }

    fn answer(body: &str, token: Option<&str>) -> Option<String> {
        read(body.as_bytes(), &cipher(), token.map(Secret::new).as_ref())
    }

    #[test]
    fn a_check_as_it_is_documented_is_answered() {
        let good = check(CHALLENGE, TOKEN);
        let encrypted = sealed(&good);
        assert!(encrypted.len() < MAX_URL_CHECK_BYTES / 4, "{} bytes", encrypted.len());
        assert_eq!(answer(&encrypted, Some(TOKEN)).as_deref(), Some(CHALLENGE));
        assert_eq!(answer(&encrypted, None).as_deref(), Some(CHALLENGE));
        assert_eq!(answer(&good, Some(TOKEN)).as_deref(), Some(CHALLENGE));
    }

    #[test]
    fn nothing_else_is() {
        let token = Some(TOKEN);
        assert_eq!(
            answer(&check(CHALLENGE, TOKEN), None),
            None,
            "plain, and nothing vouches for it"
        );
        let bad = [
            check(CHALLENGE, "another token"),
            check("", TOKEN),
            check("two words", TOKEN),
            check("quo\"te", TOKEN),
            check("\u{fffd}", TOKEN),
            json!({ "challenge": CHALLENGE, "type": "url_verification" }).to_string(),
            json!({ "challenge": CHALLENGE, "token": TOKEN }).to_string(),
            json!({ "challenge": CHALLENGE, "token": TOKEN, "type": "event_callback" }).to_string(),
            json!({ "challenge": 7, "token": TOKEN, "type": "url_verification" }).to_string(),
            check(CHALLENGE, TOKEN).replace('{', r#"{"more":"text","#),
            check(CHALLENGE, TOKEN).replace('{', r#"{"challenge":"x","#),
            check(CHALLENGE, TOKEN) + " {}",
            "{}".to_owned(),
            String::new(),
        ];
        for plain in &bad {
            assert_eq!(answer(&sealed(plain), token), None, "{plain}");
            assert_eq!(answer(plain, token), None, "{plain}");
        }
        let good = sealed(&check(CHALLENGE, TOKEN));
        for body in [
            good.replace('{', r#"{"more":1,"#),
            good.replace(r#""}"#, r#"=="}"#),
            good.clone() + &" ".repeat(MAX_URL_CHECK_BYTES),
            r#"{"encrypt":"AAECAwQFBgcICQoLDA0ODw=="}"#.to_owned(),
        ] {
            assert_eq!(answer(&body, token), None, "{body}");
        }
    }
}
