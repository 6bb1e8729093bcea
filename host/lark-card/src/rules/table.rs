//! Reads a table of a rules file member by member, and says which members it has besides: a misspelt key is a mistake.

use std::collections::BTreeSet;

use toml::Table;
use toml::Value;

use crate::fault::Severity;

/// A table that is being read, and where it stands.
pub(super) struct Reader<'a> {
    table: &'a Table,
    at: String,
    asked: BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a Table, at: String) -> Self {
        Self { table, at, asked: BTreeSet::new() }
    }

    /// Adds the place to what is wrong there.
    pub(super) fn wrong(&self, words: impl std::fmt::Display) -> String {
        format!("{}: {words}", self.at)
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.insert(key);
        self.table.get(key)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(format_args!("`{key}` must be text"))),
        }
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<f64>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(Value::Float(number)) => Ok(Some(*number)),
            Some(_) => Err(self.wrong(format_args!("`{key}` must be a number"))),
        }
    }

    pub(super) fn count(&mut self, key: &'static str) -> Result<Option<usize>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Integer(number)) if *number >= 0 => Ok(Some(*number as usize)),
            Some(_) => Err(self.wrong(format_args!("`{key}` must be a number, 0 or more"))),
        }
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<bool, String> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong(format_args!("`{key}` must be true or false"))),
        }
    }

    pub(super) fn list(&mut self, key: &'static str) -> Result<&'a [Value], String> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.wrong(format_args!("`{key}` must be a list"))),
        }
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<String>, String> {
        let items = self.list(key)?.iter().map(|item| item.as_str().map(str::to_owned));
        items
            .collect::<Option<_>>()
            .ok_or_else(|| self.wrong(format_args!("`{key}` must be a list of texts")))
    }

    pub(super) fn table(&mut self, key: &'static str) -> Result<Option<Reader<'a>>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(Reader::new(table, format!("{}.{key}", self.at)))),
            Some(_) => Err(self.wrong(format_args!("`{key}` must be a table"))),
        }
    }

    /// Reads a table whose keys are names: every member must be a table itself.
    pub(super) fn tables(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<(&'a str, Reader<'a>)>, String> {
        let Some(tables) = self.table(key)? else { return Ok(Vec::new()) };
        tables.members()
    }

    /// Returns every member, each of which must be a table.
    pub(super) fn members(&self) -> Result<Vec<(&'a str, Reader<'a>)>, String> {
        let member = |(name, value): (&'a String, &'a Value)| {
            let at = format!("{}.{name}", self.at);
            match value {
                Value::Table(table) => Ok((name.as_str(), Reader::new(table, at))),
                _ => Err(format!("{at}: must be a table")),
            }
        };
        self.table.iter().map(member).collect()
    }

    /// Returns the members that are texts.
    pub(super) fn strings(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.table.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    pub(super) fn severity(&mut self, key: &'static str) -> Result<Option<Severity>, String> {
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("certain") => Ok(Some(Severity::Certain)),
            Some("likely") => Ok(Some(Severity::Likely)),
            Some(other) => {
                Err(self.wrong(format_args!("`{key}`: {other} is neither certain nor likely")))
            }
        }
    }

    /// Reads a severity, or "none" where nothing is wrong. `None` if the member is not there.
    pub(super) fn severity_or_none(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Option<Severity>>, String> {
        if self.get(key).and_then(Value::as_str) == Some("none") {
            return Ok(Some(None));
        }
        Ok(self.severity(key)?.map(Some))
    }

    /// Says which member nobody asked for.
    pub(super) fn finish(self) -> Result<(), String> {
        match self.table.keys().find(|key| !self.asked.contains(key.as_str())) {
            None => Ok(()),
            Some(key) => Err(self.wrong(format_args!("`{key}` is no key here"))),
        }
    }
}
