//! A JSON object whose members are passed on as they were written.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde::ser::SerializeMap as _;
use serde_json::value::RawValue;

/// The members of an object in their order.
#[derive(Debug, Default)]
pub(crate) struct RawObject<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

/// The name of a member, without escapes.
#[derive(Deserialize)]
struct RawName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> RawObject<'a> {
    /// Reads an object; anything else is an error.
    pub(crate) fn read(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// Returns the text of a member, the last one of its name. `null` counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().rfind(|(member, _)| member == name)?;
        Some(value.get()).filter(|json| !is_null(json))
    }

    /// Returns the content of a member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Tells whether the object has one of those members.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        self.0.iter().any(|(name, value)| names.contains(&&**name) && !is_null(value.get()))
    }

    /// Tells whether there is a member of that name, even if it is `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(member, _)| member == name)
    }

    /// Gives the members of that name another value.
    pub(super) fn replace(&mut self, name: &str, value: &'a RawValue) {
        self.0.iter_mut().filter(|(member, _)| member == name).for_each(|(_, old)| *old = value);
    }

    /// Removes all members of that name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(member, _)| member != name);
    }

    /// Removes the members that are `null`.
    pub(super) fn without_nulls(mut self) -> Self {
        self.0.retain(|(_, value)| !is_null(value.get()));
        self
    }

    /// Writes the object, with its values as they came.
    pub(crate) fn to_json(&self) -> String {
        // Writing to memory does not fail, and the names are text.
        serde_json::to_string(self).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

/// Tells whether a value is `null`.
pub(super) fn is_null(json: &str) -> bool {
    json.trim() == "null"
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = RawObject<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = RawObject::default();
        while let Some((RawName(name), value)) = members.next_entry()? {
            object.0.push((name, value));
        }
        Ok(object)
    }
}

impl Serialize for RawObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_passed_on_as_they_were_written() {
        let json = r#"{ "a" : { "b":  1e400 }, "t\u006fken": "x", "n": null,"a":2 }"#;
        let mut object = RawObject::read(json).unwrap();
        assert_eq!(object.get("a"), Some("2"), "the last one counts");
        assert_eq!((object.text("token").as_deref(), object.get("n")), (Some("x"), None));
        assert!(object.has_any(&["z", "a"]) && !object.has_any(&["n", "z"]));
        object.remove("token");
        assert_eq!(object.to_json(), r#"{"a":{ "b":  1e400 },"n":null,"a":2}"#);
        assert_eq!(object.without_nulls().to_json(), r#"{"a":{ "b":  1e400 },"a":2}"#);
        for other in ["[]", "1", "null", "{", "{} x"] {
            assert!(RawObject::read(other).is_err(), "{other}");
        }
    }
}
