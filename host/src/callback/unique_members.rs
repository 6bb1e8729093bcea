//! Finds JSON objects with two members of the same name. The standard leaves open which of them counts, and parsers differ: if
//! the host believes one and a plugin acts on the other, a check of the host is worth nothing.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

/// The number of members beyond which a set finds a repeated name faster than comparing with each.
const FEW: usize = 16;

/// Checks the objects of that text at every depth. Text that is not JSON, or is nested more deeply than the JSON library reads,
/// is an error too.
pub(super) fn check(json: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<Unique>(json).map(|Unique| ())
}

/// Reads a field as raw text, and checks that text.
pub(super) fn raw<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<RawValue>>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    if let Some(raw) = &raw {
        check(raw.get()).map_err(de::Error::custom)?;
    }
    Ok(raw)
}

/// The result of visiting a value; it keeps nothing of it.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Looking)
    }
}

struct Looking;

impl<'de> Visitor<'de> for Looking {
    type Value = Unique;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _value: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
        let mut names = MemberNames::default();
        while let Some(MemberName(name)) = members.next_key()? {
            if !names.insert(name) {
                return Err(de::Error::custom("an object has two members of the same name"));
            }
            members.next_value::<Unique>()?;
        }
        Ok(Unique)
    }
}

/// The name of a member, with escapes decoded: two spellings of a name are one name.
#[derive(Deserialize)]
struct MemberName<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Default)]
struct MemberNames<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> MemberNames<'a> {
    /// Adds a name. Returns false if it was there already.
    fn insert(&mut self, name: Cow<'a, str>) -> bool {
        if self.many.is_empty() && self.few.len() < FEW {
            let is_new = !self.few.contains(&name);
            self.few.push(name);
            return is_new;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_member_of_a_name_is_found_at_every_depth() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":{}}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"[1,[{"x":[{"a":1,"a":2}]}]]"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(check(json).is_err(), "{json}");
        }
        let mut members: Vec<_> = (0..1000).map(|number| format!(r#""m{number}":0"#)).collect();
        assert!(check(&format!("{{{}}}", members.join(","))).is_ok());
        members.push(r#""m500":0"#.to_owned());
        assert!(check(&format!("{{{}}}", members.join(","))).is_err());
    }

    #[test]
    fn the_same_name_in_different_objects_is_no_second_one() {
        for json in [
            r#"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"A":1,"a ":2}"#,
            r#""text""#,
            "17",
            "-1.5e3",
            "true",
            "null",
            "[]",
            "{}",
        ] {
            assert!(check(json).is_ok(), "{json}");
        }
        assert!(check("{").is_err(), "what is no JSON has no members");
        assert!(check(&"[".repeat(100_000)).is_err(), "and no stack is used up");
    }
}
