//! The folders in `cases/`: a callback, the plugin that gets it, and the expected result. They are data: a new case needs no
//! Rust.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::ensure;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::artifacts;

/// One folder of `cases/`.
#[derive(Debug)]
pub struct Case {
    /// Name of the case's folder.
    pub name: String,
    /// `callback.json`, byte for byte.
    pub callback: Bytes,
    /// Content of `plugin.toml`: the plugin and the doors.
    pub plugin: Plugin,
    /// Content of `expect.json`: the expected result.
    pub expect: Expect,
}

/// The component that answers, and the doors by which the callback comes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    guest: Option<String>,
    plugin: Option<String>,
    /// Every door that carries this type of callback.
    pub doors: Vec<CaseDoor>,
    /// The key that signs the webhook's body.
    #[serde(default)]
    pub signer: CaseSigner,
    /// Content of the sidecar file, if the case has one.
    pub sidecar: Option<Value>,
}

/// A door that the callback comes by.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CaseDoor {
    /// The callback is an HTTP request.
    Webhook,
    /// The callback is a message on a WebSocket.
    LongConnection,
    /// The callback is an HTTP request to an address of its own.
    Approval,
}

/// The key that signs a webhook's body.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CaseSigner {
    /// Encrypts the body and signs it with the Encrypt Key: everything but old cards.
    #[default]
    EncryptKey,
    /// Leaves the body plain and signs it with the Verification Token: old cards.
    VerificationToken,
}

/// The expected result of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The `outcome` in the log.
    pub outcome: String,
    /// The complete reply, compared for equality.
    pub reply: Option<Value>,
    /// A part of the reply: objects may have more members.
    pub reply_contains: Option<Value>,
    /// JSON that the guest received and repeated inside a text of the reply.
    pub saw: Option<Saw>,
    /// JSON that the guest received and repeated in a line of its log.
    pub logged: Option<Value>,
    /// True if the answer is an acknowledgement without a reply, as for events.
    #[serde(default)]
    pub acknowledged: bool,
}

/// JSON that is encoded in a text of the reply.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saw {
    /// A JSON pointer to the text.
    pub at: String,
    /// A part of the encoded JSON.
    pub fields: Value,
}

impl Plugin {
    /// Builds the component, unless that is done, and returns its path.
    pub fn component(&self) -> anyhow::Result<PathBuf> {
        match (&self.guest, &self.plugin) {
            (Some(guest), None) => artifacts::guest(guest),
            (None, Some(plugin)) => artifacts::plugin(plugin),
            _ => anyhow::bail!("plugin.toml names either a `guest` or a `plugin`"),
        }
    }

    /// Returns an equal text for cases that can share a host.
    pub fn group(&self) -> String {
        format!("{:?} {:?} {:?}", self.guest, self.plugin, self.sidecar)
    }
}

/// Loads all cases, ordered by name.
pub fn all() -> anyhow::Result<Vec<Case>> {
    let folder = artifacts::source_root().join("tests/cases");
    let mut cases = Vec::new();
    for entry in
        std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        cases.push(load(&path).with_context(|| format!("{}", path.display()))?);
    }
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    ensure!(!cases.is_empty(), "{} is empty", folder.display());
    Ok(cases)
}

fn load(folder: &Path) -> anyhow::Result<Case> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let callback = std::fs::read(folder.join("callback.json")).context("callback.json")?.into();
    let plugin = std::fs::read_to_string(folder.join("plugin.toml")).context("plugin.toml")?;
    let plugin: Plugin = toml::from_str(&plugin).context("plugin.toml")?;
    ensure!(!plugin.doors.is_empty(), "plugin.toml: a case that comes by no door tests nothing");
    let expect = std::fs::read(folder.join("expect.json")).context("expect.json")?;
    let expect = serde_json::from_slice(&expect).context("expect.json")?;
    Ok(Case { name, callback, plugin, expect })
}

/// Checks that `found` contains `expected`. The error is the JSON pointer of the first difference.
pub fn contains(found: &Value, expected: &Value) -> Result<(), String> {
    contains_at("", found, expected)
}

fn contains_at(at: &str, found: &Value, expected: &Value) -> Result<(), String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().try_for_each(|(key, expected)| {
                let found = found.get(key).unwrap_or(&Value::Null);
                contains_at(&format!("{at}/{key}"), found, expected)
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let mut pairs = found.iter().zip(expected).enumerate();
            pairs.try_for_each(|(index, (found, expected))| {
                contains_at(&format!("{at}/{index}"), found, expected)
            })
        }
        _ if found == expected => Ok(()),
        _ => Err(format!("at {at:?}: expected {expected}, found {found}")),
    }
}
