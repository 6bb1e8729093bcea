//! Checks that a tool is installed and new enough, and says how to get it if it is not.

use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use crate::workshop::recipe::Words;

/// Something that has to be on the machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Description for people: "Node.js 20 or later".
    pub what: String,
    /// Command that succeeds where the tool is installed.
    pub check: Words,
    /// Least version that the command has to print.
    pub at_least: Option<ToolVersion>,
    /// Text that the command has to print.
    pub says: Option<String>,
    /// Instruction for getting the tool: a command or an address.
    pub install: String,
}

/// Version such as `20`, `3.10` or `1.95.0`, compared number by number.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub struct ToolVersion(Vec<u64>);

impl TryFrom<String> for ToolVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let numbers = text.split('.').map(str::parse).collect::<Result<_, _>>();
        numbers.map(Self).map_err(|_| format!("`{text}` is not a version like \"3.10\""))
    }
}

impl ToolVersion {
    /// Returns the first version in what a tool prints about itself: 20.1.0 in `v20.1.0`, 3.11.7 in `Python 3.11.7`.
    fn first_in(text: &str) -> Option<Self> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let rest = &text[start..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        Self::try_from(rest[..end].trim_end_matches('.').to_owned()).ok()
    }
}

/// A need that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Description of the tool, for people.
    pub what: String,
    /// Reason why the need is not met.
    pub found: String,
    /// Instruction for getting the tool: a command or an address.
    pub install: String,
}

impl Need {
    /// Runs the check and returns what the tool says about itself.
    pub async fn check(&self) -> Result<String, Missing> {
        let missing = |found: String| Missing {
            what: self.what.clone(),
            found,
            install: self.install.clone(),
        };
        let mut command = Command::new(self.check.program());
        command.args(self.check.arguments()).stdin(Stdio::null()).kill_on_drop(true);
        let output = command
            .output()
            .await
            .map_err(|error| missing(format!("`{}`: {error}", self.check.program())))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() {
            return Err(missing(format!("`{}` failed with {}", self.check, output.status)));
        }
        if let Some(least) = &self.at_least
            && ToolVersion::first_in(&said).is_none_or(|found| found < *least)
        {
            return Err(missing(format!("`{}` says {said}", self.check)));
        }
        if let Some(text) = &self.says
            && !said.contains(text)
        {
            return Err(missing(format!("`{}` does not say {text}", self.check)));
        }
        Ok(said)
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})\n    {}", self.what, self.found, self.install)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(check: &[&str], rest: &str) -> Need {
        let text = format!("what = \"it\"\ncheck = {check:?}\ninstall = \"get it\"\n{rest}");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn versions_are_compared_number_by_number() {
        let version = |text: &str| ToolVersion::first_in(text).unwrap();
        assert!(version("v20.1.0") > version("Python 3.11.7"));
        assert!(version("3.9") < version("3.10"));
        assert_eq!(version("rustc 1.95.0 (abc 2026)"), version("1.95.0."));
        assert_eq!(ToolVersion::first_in("none"), None);
    }

    #[tokio::test]
    async fn what_is_missing_comes_with_what_to_type() {
        let there = need(&["sh", "-c", "echo v20.1"], "at_least = \"20\"").check().await;
        assert_eq!(there.unwrap(), "v20.1");
        for (check, rest) in [
            (["sh", "-c", "echo v18.1"], "at_least = \"20\""),
            (["sh", "-c", "echo wasm32-wasip1"], "says = \"wasm32-wasip2\""),
            (["sh", "-c", "exit 1"], ""),
            (["no-such-tool-anywhere", "", ""], ""),
        ] {
            let missing = need(&check, rest).check().await.unwrap_err();
            assert_eq!(missing.install, "get it", "{check:?}");
        }
    }
}
