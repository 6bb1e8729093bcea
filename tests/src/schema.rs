//! The part of JSON Schema (draft 2020-12) that this project's schemas use. An unknown keyword is an error, so that no rule of a
//! schema is ignored.

use anyhow::Context as _;
use anyhow::bail;
use serde_json::Map;
use serde_json::Value;

use crate::artifacts;

/// A schema with its internal references.
pub struct Schema(Value);

impl Schema {
    /// Loads the schema from that path of the source tree.
    pub fn of(path: &str) -> anyhow::Result<Self> {
        let file = artifacts::source_root().join(path);
        let text = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
        Ok(Self(serde_json::from_slice(&text).context(path.to_owned())?))
    }

    /// Reads a schema.
    pub fn read(text: &[u8]) -> anyhow::Result<Self> {
        Ok(Self(serde_json::from_slice(text)?))
    }

    /// Returns true if the value is valid. An error means that the schema itself is faulty.
    pub fn takes(&self, value: &Value) -> anyhow::Result<bool> {
        self.holds(&self.0, value)
    }

    fn holds(&self, schema: &Value, value: &Value) -> anyhow::Result<bool> {
        let keywords = match schema {
            Value::Bool(any) => return Ok(*any),
            Value::Object(keywords) => keywords,
            _ => bail!("{schema} is no schema"),
        };
        for (keyword, wanted) in keywords {
            if !self.keyword(keywords, keyword, wanted, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn keyword(
        &self,
        all: &Map<String, Value>,
        keyword: &str,
        wanted: &Value,
        value: &Value,
    ) -> anyhow::Result<bool> {
        let list = || wanted.as_array().with_context(|| format!("{keyword} is no list"));
        Ok(match keyword {
            // Annotations, targets of references, and keywords that are handled with `if`.
            "$schema" | "$defs" | "title" | "description" | "then" | "else" => true,
            "$ref" => {
                let at = wanted.as_str().and_then(|text| text.strip_prefix('#'));
                let target = at.and_then(|at| self.0.pointer(at));
                self.holds(target.with_context(|| format!("{wanted} is not there"))?, value)?
            }
            "type" => match wanted {
                Value::String(name) => is(name, value)?,
                _ => list()?.iter().any(|name| {
                    name.as_str().is_some_and(|name| is(name, value).is_ok_and(|is| is))
                }),
            },
            "const" => value == wanted,
            "enum" => list()?.contains(value),
            "required" => list()?.iter().all(|name| {
                let fields = value.as_object().zip(name.as_str());
                fields.is_none_or(|(fields, name)| fields.contains_key(name))
            }),
            "minProperties" => {
                value.as_object().is_none_or(|fields| Some(fields.len() as u64) >= wanted.as_u64())
            }
            "properties" | "additionalProperties" => self.fields(all, keyword, wanted, value)?,
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                items.try_fold(true, |so_far, item| {
                    anyhow::Ok(so_far && self.holds(wanted, item)?)
                })?
            }
            "allOf" => self.count(list()?, value)? == list()?.len(),
            "anyOf" => self.count(list()?, value)? > 0,
            "oneOf" => self.count(list()?, value)? == 1,
            "not" => !self.holds(wanted, value)?,
            "if" => {
                let branch = if self.holds(wanted, value)? { "then" } else { "else" };
                all.get(branch).map_or(Ok(true), |branch| self.holds(branch, value))?
            }
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= wanted.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= wanted.as_f64()),
            "minLength" => length(value).is_none_or(|length| Some(length) >= wanted.as_u64()),
            "maxLength" => length(value).is_none_or(|length| Some(length) <= wanted.as_u64()),
            "minItems" => items(value).is_none_or(|items| Some(items) >= wanted.as_u64()),
            "maxItems" => items(value).is_none_or(|items| Some(items) <= wanted.as_u64()),
            _ => bail!("the keyword {keyword} is not known here"),
        })
    }

    fn fields(
        &self,
        all: &Map<String, Value>,
        keyword: &str,
        wanted: &Value,
        value: &Value,
    ) -> anyhow::Result<bool> {
        let named = all.get("properties").and_then(Value::as_object);
        for (name, field) in value.as_object().into_iter().flatten() {
            let own = named.and_then(|named| named.get(name));
            let schema = match (keyword, own) {
                ("properties", Some(own)) => own,
                ("additionalProperties", None) => wanted,
                _ => continue,
            };
            if !self.holds(schema, field)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn count(&self, schemas: &[Value], value: &Value) -> anyhow::Result<usize> {
        schemas
            .iter()
            .try_fold(0, |count, schema| Ok(count + usize::from(self.holds(schema, value)?)))
    }
}

/// Returns the number of characters of a text.
fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

/// Returns the number of items of a list.
fn items(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

fn is(name: &str, value: &Value) -> anyhow::Result<bool> {
    Ok(match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => bail!("the type {name} is not known here"),
    })
}
