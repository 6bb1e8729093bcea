//! Reads structs from foreign JSON and TOML by the names of their fields and in no other way.
//!
//! A derived `Deserialize` also accepts a struct written as an array, `["first", "second"]`. Nobody who checks or fills an
//! object by its members sees such an array, so it carries values past those checks: the simulated platform once delivered one
//! that made an admin port roll a plugin back. The functions here refuse arrays wherever a struct is read, at every depth. What
//! serde buffers for untagged and flattened types is outside their reach.
//!
//! ```
//! #[derive(Debug, serde::Deserialize)]
//! struct Transfer {
//!     to: String,
//!     cents: u64,
//! }
//!
//! assert!(serde_json::from_str::<Transfer>(r#"["Mallory", 700]"#).is_ok());
//! assert!(named_fields::from_str::<Transfer>(r#"["Mallory", 700]"#).is_err());
//! ```
//!
//! # Errors and limits
//!
//! The errors are those of the format's own library; an array in the place of a struct is one of type "invalid type". Anything
//! after the document is an error too. The depth is that of the library, 128 levels for JSON.

mod access;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::Deserializer;
use serde::de::IntoDeserializer;
use serde::de::Visitor;

use crate::access::Watched;

/// Reads one JSON document.
pub fn from_slice<'de, T: Deserialize<'de>>(json: &'de [u8]) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = T::deserialize(Named(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// Reads one JSON document.
pub fn from_str<'de, T: Deserialize<'de>>(json: &'de str) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = T::deserialize(Named(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// Reads JSON that was parsed before.
pub fn from_value<T: DeserializeOwned>(json: serde_json::Value) -> serde_json::Result<T> {
    T::deserialize(Named(json.into_deserializer()))
}

/// Reads one TOML document.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, toml::de::Error> {
    T::deserialize(Named(toml::Deserializer::parse(text)?))
}

/// Reads a value from any other deserializer.
pub fn from_any<'de, T: Deserialize<'de>, D: Deserializer<'de>>(source: D) -> Result<T, D::Error> {
    T::deserialize(Named(source))
}

/// A deserializer that gives structs as objects only.
struct Named<D>(D);

/// Methods that hand over a visitor for anything but a struct.
macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Watched::anything(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<D> {
    type Error = D::Error;

    forward! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Watched::fields(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        number: u8,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    enum Choice {
        Plain,
        Inside(Inner),
        Fields { number: u8 },
        Pair(u8, Inner),
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Outer<'a> {
        #[serde(borrow)]
        text: Cow<'a, str>,
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
        inner: Option<Inner>,
        list: Vec<Inner>,
        named: BTreeMap<String, Inner>,
        choice: Option<Choice>,
        pair: Option<(u8, Inner)>,
        any: Option<serde_json::Value>,
    }

    #[test]
    fn an_array_is_a_struct_nowhere() {
        for json in [
            r#"["text"]"#,
            r#"{"inner":[1]}"#,
            r#"{"list":[{"number":1},[1]]}"#,
            r#"{"named":{"a":[1]}}"#,
            r#"{"choice":{"Inside":[1]}}"#,
            r#"{"choice":{"Fields":[1]}}"#,
            r#"{"choice":{"Pair":[1,[1]]}}"#,
            r#"{"pair":[1,[1]]}"#,
        ] {
            assert!(serde_json::from_str::<Outer<'_>>(json).is_ok(), "serde takes it: {json}");
            let refused = from_str::<Outer<'_>>(json).unwrap_err().to_string();
            assert!(refused.contains("invalid type: sequence"), "{json}: {refused}");
            assert!(from_slice::<Outer<'_>>(json.as_bytes()).is_err(), "{json}");
        }
        assert!(from_value::<Inner>(json!([1])).is_err());
        assert_eq!(from_value::<Inner>(json!({ "number": 1 })).unwrap(), Inner { number: 1 });
    }

    #[test]
    fn everything_else_is_read_as_before_and_borrowed_where_it_can_be() {
        let json = r#"{"text":"t","raw":[1, {}],"inner":{"number":1},"list":[{"number":2}],"named":{"a":{"number":3}},
            "choice":{"Pair":[4,{"number":5}]},"pair":[6,{"number":7}],"any":[[1],{"a":[]},null,"x",1.5]}"#;
        let read: Outer<'_> = from_str(json).unwrap();
        assert!(matches!(read.text, Cow::Borrowed("t")));
        assert_eq!(read.raw.unwrap().get(), "[1, {}]");
        assert_eq!((read.inner, read.list), (Some(Inner { number: 1 }), vec![Inner { number: 2 }]));
        assert_eq!(read.named["a"], Inner { number: 3 });
        assert_eq!(read.choice, Some(Choice::Pair(4, Inner { number: 5 })));
        assert_eq!(read.pair, Some((6, Inner { number: 7 })));
        assert_eq!(read.any, Some(json!([[1], { "a": [] }, null, "x", 1.5])));
        for (json, choice) in [
            (r#"{"choice":"Plain"}"#, Choice::Plain),
            (r#"{"choice":{"Fields":{"number":1}}}"#, Choice::Fields { number: 1 }),
            (r#"{"choice":{"Inside":{"number":1}}}"#, Choice::Inside(Inner { number: 1 })),
        ] {
            assert_eq!(from_str::<Outer<'_>>(json).unwrap().choice, Some(choice));
        }
        assert!(from_str::<Outer<'_>>("{} x").is_err(), "something behind the document");
    }

    #[test]
    fn toml_is_held_to_the_same_and_its_errors_say_where() {
        #[derive(Debug, Deserialize)]
        struct File {
            limits: Inner,
        }
        assert_eq!(from_toml::<File>("[limits]\nnumber = 1").unwrap().limits.number, 1);
        assert!(toml::from_str::<File>("limits = [1]").is_ok(), "the library takes it");
        let refused = from_toml::<File>("\nlimits = [1]").unwrap_err();
        assert_eq!(refused.span(), Some(10..13), "{refused}");
        assert!(refused.to_string().contains("line 2"), "{refused}");
    }
}
