//! Sealed action values: whose click they are for, until when, and whether once. Nobody but this app's hosts can make a
//! seal, and none of them fits another value, another plugin or another app.
//!
//! The seal stands inside the value, beside what the plugin put there, so that routes and plugins read the value as any
//! other. It is made over the value's meaning and not its text: the platform may write the same JSON in another way.

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

/// Where the seal stands in the value.
pub const MEMBER: &str = "aviary_seal";
/// The longest validity: as long as the platform lets a card be clicked.
pub const LONGEST_SECS: u64 = 30 * 24 * 60 * 60;
/// People that a seal may name. More are a chat.
const MOST_PEOPLE: usize = 100;
/// The largest value that is sealed. A card with all its buttons has 30 KiB.
const MOST_BYTES: usize = 16 << 10;
/// Keeps the keys of different uses apart.
const PURPOSE: &[u8] = b"aviary sealed action values, first form";

/// What a value may be used for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Who may click; anybody, if it is empty.
    pub open_ids: Vec<String>,
    /// Seconds from now.
    pub valid_secs: u64,
    /// Whether the first click is the last.
    pub once: bool,
}

/// Why a value cannot be sealed: the plugin's mistake.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No object.
    #[error("the value is no JSON object")]
    NotAnObject,
    /// Two readers of it may see two values.
    #[error(
        "an object in the value has two members of the same name; give each member a name of its own"
    )]
    RepeatedMember,
    /// It would not fit a card.
    #[error("the value has {0} bytes; {MOST_BYTES} can be sealed")]
    TooLarge(usize),
    /// It is what it shall become.
    #[error("the value has a member {MEMBER} already")]
    Sealed,
    /// Never, or for ever.
    #[error("valid-secs must be between 1 and {LONGEST_SECS}")]
    Validity,
    /// Writing a number and reading it back gives another one, however often.
    #[error("a number in the value has more digits than a 64-bit float keeps; give it as text")]
    Number,
    /// A crowd.
    #[error(
        "a seal names {MOST_PEOPLE} people at most; leave the list empty and let the operator allow a chat"
    )]
    People,
}

/// What is wrong with a value that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// No host of this app has made it like this, for this plugin.
    #[error("the value's seal is not genuine")]
    Forged,
    /// Its time is over.
    #[error("the value's seal has expired")]
    Expired,
    /// It is for somebody else.
    #[error("the value is sealed for somebody else")]
    NotTheirs,
}

/// What the seal of a value that came back is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealCheck {
    /// The value has no seal.
    Unsealed,
    /// The seal is genuine, valid, and for this person.
    Good {
        /// For a value that is good for one click.
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
    /// How long the seal is still valid, and so has to be remembered once it was used.
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

/// What one app's hosts seal with. It comes from the app's secret, so that all of them have the same.
#[derive(Clone)]
pub struct SealKey(Hmac<Sha256>);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKey(…)")
    }
}

impl SealKey {
    /// That app's.
    pub fn of(app_secret: &Secret) -> Self {
        let derived = keyed(app_secret.expose().as_bytes()).chain_update(PURPOSE).finalize();
        Self(keyed(&derived.into_bytes()))
    }

    /// The value with a seal in it. `number` is unique, for a seal that is good once.
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
            return Err(SealError::Sealed);
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

    /// Checks the seal of a value that this person has clicked.
    pub fn check(
        &self,
        owner: Owner<'_>,
        value: &str,
        clicked_by: &str,
        now_secs: u64,
    ) -> SealCheck {
        // Most values have none, and are not parsed for it. An escape may spell the name in another way.
        if !value.contains(MEMBER) && !value.contains('\\') {
            return SealCheck::Unsealed;
        }
        // A plugin may read what the host cannot: then a seal in it vouches for nothing.
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
        // Compared in constant time.
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

/// Whose value it is.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The app's id.
    pub app: &'a str,
    /// The plugin's name.
    pub plugin: &'a str,
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("a key of any length will do"))
}

/// How often a value is written and read before its numbers have to be what was read.
const MOST_READINGS: usize = 8;

/// The members as they are when they come back. Reading a float may give its neighbour, and a seal over the one that was
/// written would not fit the one that is read.
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

/// The same text for the same JSON: members in order, nothing between them, whole numbers without a fraction.
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
        // The name of the seal, spelled with an escape, is that name.
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
        assert_eq!(seal(&sealed(), terms()), Err(SealError::Sealed));
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
