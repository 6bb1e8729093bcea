//! `plugin.toml` in a plugin's source folder: how the plugin is built, what that needs, and what comes out. It is not the sidecar
//! file beside a component, which is the operator's.

use std::path::Path;
use std::path::PathBuf;

use crate::small_file;
use crate::small_file::ReadError;
use crate::workshop::need::Need;
use serde::Deserialize;

/// Name of the file in the source folder.
pub const FILE: &str = "plugin.toml";

/// Instructions for building a plugin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the component in a plugins folder, without `.wasm`.
    pub name: PluginName,
    /// Tools that have to be on the machine.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Tools and libraries that are installed beside the plugin before its first build.
    pub install: Option<Install>,
    /// Commands and output of the build.
    pub build: BuildSteps,
    /// Commands of the plugin's own tests, if it has any.
    #[serde(default)]
    pub test: TestSteps,
}

/// Tools and libraries that belong to this plugin alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// The commands, one after the other, in the plugin's folder.
    pub run: Vec<Words>,
    /// Folder that the commands make. They run again where it is missing.
    pub makes: PathBuf,
    /// Files that pin versions. The commands run again when one of them changes.
    pub pins: Vec<PathBuf>,
}

/// Commands and output of a build.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildSteps {
    /// The commands, one after the other, in the plugin's folder.
    pub run: Vec<Words>,
    /// Path of the component or module. A path that begins with `target/` is in cargo's target folder, wherever that is.
    pub output: PathBuf,
}

/// Commands of a plugin's tests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSteps {
    /// The commands, one after the other, in the plugin's folder.
    pub run: Vec<Words>,
}

/// A program and its arguments. A program with a `/` is one of the plugin's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Words {
    program: String,
    arguments: Vec<String>,
}

impl Words {
    /// Returns the program that is run.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Returns the program's arguments.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| match argument.contains(' ') {
            true => write!(formatter, " '{argument}'"),
            false => write!(formatter, " {argument}"),
        })
    }
}

impl TryFrom<Vec<String>> for Words {
    type Error = &'static str;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        let mut words = words.into_iter();
        let program = words.next().ok_or("a command has at least one word")?;
        Ok(Self { program, arguments: words.collect() })
    }
}

/// A name that every language's tools take: small letters, digits and hyphens, and a letter first.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct PluginName(String);

/// Longest name, in bytes. npm has the lowest limit, 214; a file system's is 255. Nobody types as many.
const LONGEST_NAME: usize = 64;
/// Largest `plugin.toml`, in bytes. Those of the examples have one kilobyte.
const MAX_BYTES: u64 = 1 << 20;

impl PluginName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as an identifier in a program.
    pub fn as_identifier(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl std::fmt::Display for PluginName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for PluginName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(allowed)
            && !name.ends_with('-')
            && !name.contains("--")
            && name.len() <= LONGEST_NAME;
        if sound {
            Ok(Self(name))
        } else {
            Err(format!(
                "`{name}` cannot be a plugin's name: small letters, digits and single hyphens between them, a \
                 letter first, {LONGEST_NAME} at most; for example `leave-approval`"
            ))
        }
    }
}

impl std::str::FromStr for PluginName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::try_from(name.to_owned())
    }
}

/// Reason why there is no recipe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file does not exist or cannot be read.
    #[error(
        "{0}; a plugin's folder says in plugin.toml how it is built, and `aviary new` makes one"
    )]
    Read(#[from] ReadError),
    /// The file is not a valid recipe.
    #[error("{}: {error}", path.display())]
    Toml {
        /// Path of the file.
        path: PathBuf,
        /// Error with the key and its line.
        error: toml::de::Error,
    },
}

impl Recipe {
    /// Reads the recipe in that folder.
    pub fn read(folder: &Path) -> Result<Self, RecipeError> {
        let path = folder.join(FILE);
        let text = small_file::read_text(&path, MAX_BYTES)?;
        named_fields::from_toml(&text).map_err(|error| RecipeError::Toml { path, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_every_tool_takes() {
        for good in ["a", "leave-approval", "v2"] {
            assert!(good.parse::<PluginName>().is_ok(), "{good}");
        }
        for bad in ["", "2nd", "-a", "a-", "a--b", "a_b", "A", "a b", "../a", "é", &"a".repeat(65)]
        {
            assert!(bad.parse::<PluginName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = "name = \"a\"\n[build]\nrun = [[\"make\"]]\noutput = \"a.wasm\"\n";
        assert!(toml::from_str::<Recipe>(text).is_ok());
        let misspelt = format!("{text}outptu = 1\n");
        let error = toml::from_str::<Recipe>(&misspelt).unwrap_err().to_string();
        assert!(error.contains("outptu"), "{error}");
        let empty = text.replace("[[\"make\"]]", "[[]]");
        assert!(toml::from_str::<Recipe>(&empty).is_err());
    }
}
