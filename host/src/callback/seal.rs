//! Seals values of buttons: a seal says who may click, until when, and whether only once. Only this app's hosts can make a seal,
//! and a seal does not fit another value, another plugin or another app.
//!
//! The seal is a member of the value, beside the members that the plugin put there, so that routes and plugins read the value as
//! any other. It covers the value's meaning and not its text: the platform may write the same JSON in another way.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use lark_wire::secret::Secret;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use sha2::Sha256;

use crate::callback::unique_members;

/// Name of the member of the value that holds the seal.
pub const MEMBER: &str = "aviary_seal";
/// The longest validity in seconds: as long as the platform lets a card be clicked.
pub const LONGEST_SECS: u64 = 30 * 24 * 60 * 60;
/// The most people that a seal may name. For more, the operator can allow a chat.
const MOST_PEOPLE: usize = 100;
/// The largest value that is sealed, in bytes. A card with all its buttons has 30 KiB.
const MOST_BYTES: usize = 16 << 10;
/// Separates this key from keys that are derived from the same secret for other uses.
const PURPOSE: &[u8] = b"aviary sealed action values, first form";

/// The conditions under which a value may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The people who may click, by `open_id`; anybody if it is empty.
    pub open_ids: Vec<String>,
    /// Validity in seconds from now.
    pub valid_secs: u64,
    /// The value is good for one click.
    pub once: bool,
}

/// Why a value cannot be sealed. Each one is the plugin's mistake.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value is not a JSON object.
    #[error("the value is not a JSON object")]
    NotAnObject,
    /// Two members have the same name, so two readers may see two values.
    #[error(
        "an object in the value has two members of the same name; give each member a name of its own"
    )]
    RepeatedMember,
    /// The value is larger than `MOST_BYTES` and would not fit a card.
    #[error("the value has {0} bytes; {MOST_BYTES} can be sealed")]
    TooLarge(usize),
    /// The value already has a member of the seal's name.
    #[error("the value has a member {MEMBER} already")]
    AlreadySealed,
    /// The validity is zero or longer than `LONGEST_SECS`.
    #[error("valid-secs must be between 1 and {LONGEST_SECS}")]
    Validity,
    /// A number of the value changes each time it is written and read back.
    #[error("a number in the value has more digits than a 64-bit float keeps; give it as text")]
    Number,
    /// The seal would name more than `MOST_PEOPLE` people.
    #[error(
        "a seal names {MOST_PEOPLE} people at most; leave the list empty and let the operator allow a chat"
    )]
    People,
}

/// Why the value of a click is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// No host of this app has sealed this value for this plugin.
    #[error("the value's seal is not genuine")]
    Forged,
    /// The seal's validity has ended.
    #[error("the value's seal has expired")]
    Expired,
    /// The seal names other people.
    #[error("the value is sealed for somebody else")]
    NotTheirs,
}

/// The result of checking the value of a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealCheck {
    /// The value has no seal.
    Unsealed,
    /// The seal is genuine, valid, and names this person or nobody.
    Good {
        /// Present if the value is good for one click.
        once: Option<OneClick>,
    },
    /// The value must not be used.
    Bad(SealFault),
}

/// The one click that a value is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneClick {
    /// The number of the seal, which no other seal of the app has.
    pub number: String,
    /// The seal's remaining validity, and so the time for which its use has to be remembered.
    pub valid_for: Duration,
}

#[derive(Deserialize, Serialize)]
struct Seal {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    to: Vec<String>,
    until: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    once: Option<String>,
    mac: String,
}

/// The key that seals one app's values. It is derived from the app's secret, so that all hosts of the app have the same.
#[derive(Clone)]
pub struct SealKey(Hmac<Sha256>);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKey(…)")
    }
}

impl SealKey {
    /// Derives the sealing key from the app's secret.
    pub fn of(app_secret: &Secret) -> Self {
        let derived = keyed(app_secret.expose().as_bytes()).chain_update(PURPOSE).finalize();
        Self(keyed(&derived.into_bytes()))
    }

    /// Returns the value with a seal in it. A seal for one click carries `number`, which must be unique.
    pub fn seal(
        &self,
        owner: Owner<'_>,
        value: &str,
        terms: Terms,
        now_secs: u64,
        number: &str,
    ) -> Result<String, SealError> {
        if value.len() > MOST_BYTES {
            return Err(SealError::TooLarge(value.len()));
        }
        let Ok(Value::Object(members)) = serde_json::from_str(value) else {
            return Err(SealError::NotAnObject);
        };
        if unique_members::check(value).is_err() {
            return Err(SealError::RepeatedMember);
        }
        if members.contains_key(MEMBER) {
            return Err(SealError::AlreadySealed);
        }
        if !(1..=LONGEST_SECS).contains(&terms.valid_secs) {
            return Err(SealError::Validity);
        }
        if terms.open_ids.len() > MOST_PEOPLE {
            return Err(SealError::People);
        }
        let mut members = stable(members).ok_or(SealError::Number)?;
        let mut seal = Seal {
            to: terms.open_ids,
            until: now_secs + terms.valid_secs,
            once: terms.once.then(|| number.to_owned()),
            mac: String::new(),
        };
        let mac = self.mac(owner, &members, &seal).finalize().into_bytes();
        seal.mac = BASE64_URL_SAFE_NO_PAD.encode(mac);
        members.insert(MEMBER.to_owned(), serde_json::json!(seal));
        Ok(Value::Object(members).to_string())
    }

    /// Checks the seal of a value that this person has clicked, at the time `now_secs` (seconds since the Unix epoch).
    pub fn check(
        &self,
        owner: Owner<'_>,
        value: &str,
        clicked_by: &str,
        now_secs: u64,
    ) -> SealCheck {
        // Most values have no seal, and are not parsed to find that out. An escape may spell the member's name in another way.
        if !value.contains(MEMBER) && !value.contains('\\') {
            return SealCheck::Unsealed;
        }
        // A plugin's parser may see another value than the host's, so a seal in it proves nothing.
        if unique_members::check(value).is_err() {
            return SealCheck::Bad(SealFault::Forged);
        }
        let Ok(Value::Object(mut members)) = serde_json::from_str(value) else {
            return SealCheck::Unsealed;
        };
        let Some(seal) = members.shift_remove(MEMBER) else { return SealCheck::Unsealed };
        match self.check_seal(owner, &members, seal, clicked_by, now_secs) {
            Ok(once) => SealCheck::Good { once },
            Err(fault) => SealCheck::Bad(fault),
        }
    }

    fn check_seal(
        &self,
        owner: Owner<'_>,
        members: &Map<String, Value>,
        seal: Value,
        clicked_by: &str,
        now_secs: u64,
    ) -> Result<Option<OneClick>, SealFault> {
        let seal: Seal = named_fields::from_value(seal).map_err(|_| SealFault::Forged)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(&seal.mac).map_err(|_| SealFault::Forged)?;
        // `verify_slice` compares in constant time.
        self.mac(owner, members, &seal).verify_slice(&mac).map_err(|_| SealFault::Forged)?;
        if seal.until <= now_secs {
            return Err(SealFault::Expired);
        }
        if !seal.to.is_empty() && !seal.to.iter().any(|open_id| open_id == clicked_by) {
            return Err(SealFault::NotTheirs);
        }
        let valid_for = Duration::from_secs(seal.until - now_secs);
        Ok(seal.once.map(|number| OneClick { number, valid_for }))
    }

    fn mac(&self, owner: Owner<'_>, members: &Map<String, Value>, seal: &Seal) -> Hmac<Sha256> {
        let Owner { app, plugin } = owner;
        let mut text = serde_json::json!([app, plugin, seal.to, seal.until, seal.once]).to_string();
        write_members(&mut text, members);
        self.0.clone().chain_update(text)
    }
}

/// The app and plugin that a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Id of the app whose key seals the value.
    pub app: &'a str,
    /// Name of the plugin that put the value on a card.
    pub plugin: &'a str,
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("a key of any length will do"))
}

/// The most rounds of writing and reading after which the value's numbers must be stable.
const MOST_READINGS: usize = 8;

/// Returns the members as they are after the platform has sent them back; `None` if they never become stable. Reading a float may
/// give its neighbour, and a seal over the written number would not fit the number that is read.
fn stable(mut members: Map<String, Value>) -> Option<Map<String, Value>> {
    for _ in 0..MOST_READINGS {
        let Ok(Value::Object(read)) =
            serde_json::from_str(&Value::from(members.clone()).to_string())
        else {
            return None;
        };
        if read == members {
            return Some(read);
        }
        members = read;
    }
    None
}

/// Writes the same text for the same JSON: members sorted, no white space, whole numbers without a fraction.
fn write(text: &mut String, value: &Value) {
    match value {
        Value::Object(members) => write_members(text, members),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(text, item);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 2_f64.powi(53) => {
                *text += &format!("{float:.0}");
            }
            _ => *text += &number.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => *text += &value.to_string(),
    }
}

fn write_members(text: &mut String, members: &Map<String, Value>) {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    text.push('{');
    for (name, value) in members {
        *text += &Value::from(name.as_str()).to_string();
        text.push(':');
        write(text, value);
        text.push(',');
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { app: "cli_a", plugin: "p" };

    fn key() -> SealKey {
        SealKey::of(&Secret::new("app secret"))
    }

    fn terms() -> Terms {
        Terms { open_ids: vec!["ou_1".to_owned()], valid_secs: 60, once: true }
    }

    fn sealed() -> String {
        key().seal(OWNER, r#"{"b":1.0,"a":{"z":[true,null],"y":"ä"}}"#, terms(), 1000, "7").unwrap()
    }

    fn check(value: &str, by: &str, now: u64) -> SealCheck {
        key().check(OWNER, value, by, now)
    }

    #[test]
    fn the_same_json_written_in_another_way_is_as_good() {
        let once = OneClick { number: "7".to_owned(), valid_for: Duration::from_secs(50) };
        let genuine = SealCheck::Good { once: Some(once) };
        assert_eq!(check(&sealed(), "ou_1", 1010), genuine);
        let mut value: Value = serde_json::from_str(&sealed()).unwrap();
        let seal = value[MEMBER].take();
        let other =
            format!(r#"{{ "{MEMBER}": {seal}, "a": {{"y":"\u00e4", "z":[true, null]}}, "b": 1 }}"#);
        assert_eq!(check(&other, "ou_1", 1010), genuine);
        assert_eq!(check(r#"{"b":1}"#, "ou_1", 1010), SealCheck::Unsealed);
        assert_eq!(check(r#""aviary_seal""#, "ou_1", 1010), SealCheck::Unsealed);
    }

    #[test]
    fn whatever_is_changed_makes_it_a_forgery() {
        let forgeries: [(&str, Value); 7] = [
            ("/b", 2.into()),
            ("/a/z/0", false.into()),
            ("/aviary_seal/until", 9_999_999.into()),
            ("/aviary_seal/to/0", "ou_2".into()),
            ("/aviary_seal/once", "8".into()),
            ("/aviary_seal/mac", "".into()),
            ("/aviary_seal", Value::Null),
        ];
        for (pointer, changed) in forgeries {
            let mut value: Value = serde_json::from_str(&sealed()).unwrap();
            *value.pointer_mut(pointer).unwrap() = changed;
            assert_eq!(
                check(&value.to_string(), "ou_1", 1010),
                SealCheck::Bad(SealFault::Forged),
                "{pointer}"
            );
        }
        let forged = SealCheck::Bad(SealFault::Forged);
        for other in [Owner { app: "cli_b", plugin: "p" }, Owner { app: "cli_a", plugin: "q" }] {
            assert_eq!(key().check(other, &sealed(), "ou_1", 1010), forged);
        }
        let stranger = SealKey::of(&Secret::new("another secret"));
        assert_eq!(stranger.check(OWNER, &sealed(), "ou_1", 1010), forged);
    }

    #[test]
    fn a_second_member_of_a_name_makes_it_a_forgery() {
        let genuine = sealed();
        assert!(matches!(check(&genuine, "ou_1", 1010), SealCheck::Good { .. }));
        let seal = serde_json::from_str::<Value>(&genuine).unwrap()[MEMBER].to_string();
        let rest = genuine.strip_prefix('{').unwrap();
        let doubled = [
            format!(r#"{{"b":9,{rest}"#),
            format!(r#"{{"\u0062":9,{rest}"#),
            genuine.replace(r#""y":"#, r#""y":"x","y":"#),
            genuine.replace(r#""until":"#, r#""until":1,"until":"#),
            format!(r#"{{"{MEMBER}":{{}},{rest}"#),
            format!(r#"{{"aviary\u005fseal":{seal},{rest}"#),
        ];
        for value in doubled {
            assert_eq!(check(&value, "ou_1", 1010), SealCheck::Bad(SealFault::Forged), "{value}");
        }
        // An escape in the name of the seal's member does not hide the seal.
        let escaped = genuine.replace(MEMBER, "aviary\\u005fseal");
        assert!(matches!(check(&escaped, "ou_1", 1010), SealCheck::Good { .. }), "{escaped}");
    }

    #[test]
    fn a_number_with_too_many_digits_is_sealed_as_it_comes_back() {
        let value = r#"{"n":900739850881987481986,"x":-0.0}"#;
        let sealed = key().seal(OWNER, value, terms(), 1000, "7").unwrap();
        assert!(matches!(check(&sealed, "ou_1", 1010), SealCheck::Good { .. }), "{sealed}");
    }

    #[test]
    fn it_ends_and_is_for_those_it_names() {
        assert_eq!(check(&sealed(), "ou_1", 1060), SealCheck::Bad(SealFault::Expired));
        assert_eq!(check(&sealed(), "ou_2", 1010), SealCheck::Bad(SealFault::NotTheirs));
    }

    #[test]
    fn what_cannot_be_sealed_is_named() {
        let seal = |value: &str, terms: Terms| key().seal(OWNER, value, terms, 1000, "7");
        assert_eq!(seal("\"text\"", terms()), Err(SealError::NotAnObject));
        assert_eq!(seal(&sealed(), terms()), Err(SealError::AlreadySealed));
        for repeated in [r#"{"a":1,"a":1}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#] {
            assert_eq!(seal(repeated, terms()), Err(SealError::RepeatedMember), "{repeated}");
        }
        assert_eq!(seal("{}", Terms { valid_secs: 0, ..terms() }), Err(SealError::Validity));
        let crowd = vec!["ou".to_owned(); 101];
        assert_eq!(seal("{}", Terms { open_ids: crowd, ..terms() }), Err(SealError::People));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MOST_BYTES));
        assert!(matches!(seal(&long, terms()), Err(SealError::TooLarge(_))));
    }
}
