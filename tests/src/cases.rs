//! The folders in `cases/`: a callback, the plugin that gets it, and what has to come out. They are data; adding one
//! writes no Rust.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::ensure;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::artifacts;

/// One folder.
#[derive(Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// `callback.json`, byte for byte.
    pub callback: Bytes,
    /// `plugin.toml`
    pub plugin: Plugin,
    /// `expect.json`
    pub expect: Expect,
}

/// Which component answers, and by which doors the callback comes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    guest: Option<String>,
    plugin: Option<String>,
    /// Every door that carries this type of callback.
    pub doors: Vec<CaseDoor>,
    /// How the webhook's body is signed.
    #[serde(default)]
    pub signer: CaseSigner,
    /// What stands in the sidecar file, where there is one.
    pub sidecar: Option<Value>,
}

/// A door.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CaseDoor {
    /// HTTP.
    Webhook,
    /// WebSocket.
    LongConnection,
}

/// What signs a webhook's body.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CaseSigner {
    /// Encrypted, and signed with the Encrypt Key: everything but old cards.
    #[default]
    EncryptKey,
    /// Plain, and signed with the Verification Token: old cards.
    VerificationToken,
}

/// What has to come out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The `outcome` in the log.
    pub outcome: String,
    /// The whole reply.
    pub reply: Option<Value>,
    /// A part of the reply: objects may have more keys.
    pub reply_contains: Option<Value>,
    /// What the guest saw, which is JSON inside a text of the reply.
    pub saw: Option<Saw>,
    /// What the guest saw, which is JSON in a line that it logged.
    pub logged: Option<Value>,
    /// The answer is an acknowledgement without a reply, as events get it.
    #[serde(default)]
    pub acknowledged: bool,
}

/// JSON in a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saw {
    /// A JSON pointer to the text.
    pub at: String,
    /// A part of what it says.
    pub fields: Value,
}

impl Plugin {
    /// The compiled component.
    pub fn component(&self) -> anyhow::Result<PathBuf> {
        match (&self.guest, &self.plugin) {
            (Some(guest), None) => artifacts::guest(guest),
            (None, Some(plugin)) => artifacts::plugin(plugin),
            _ => anyhow::bail!("plugin.toml names either a `guest` or a `plugin`"),
        }
    }

    /// The same for cases that can share a host.
    pub fn group(&self) -> String {
        format!("{:?} {:?} {:?}", self.guest, self.plugin, self.sidecar)
    }
}

/// All of them, in the order of their names.
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

/// Does `found` say at least what `expected` says? The error is the JSON pointer where it does not.
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
