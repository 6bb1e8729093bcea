//! Creates a plugin from one of the examples in `plugins/`, under another name, with what it needs to stand alone.

mod embedded;

use std::path::Path;
use std::path::PathBuf;

use crate::workshop::recipe::PluginName;
use crate::workshop::template::embedded::CONTRACT;
use crate::workshop::template::embedded::SDK;
use crate::workshop::template::embedded::WORKSPACE;

/// Languages that a plugin may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// With the SDK, a component of a hundred kilobytes.
    Rust,
    /// On QuickJS: small, and starts fast.
    Typescript,
    /// On StarlingMonkey: the whole engine.
    Javascript,
    /// On CPython, which is part of the component.
    Python,
    /// With zig as its compiler, ten kilobytes.
    C,
    /// As a command: JSON on standard input and output.
    Go,
    /// As a command too, a hundred kilobytes.
    Zig,
}

/// Reason why no plugin was created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// A file of that name exists already.
    #[error("{} is there already; nothing was written", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
}

/// Path and content of a file.
type TemplateFile = (PathBuf, Vec<u8>);

/// Writes the plugin into that folder, which may be there already; no file in it is overwritten.
pub fn create(folder: &Path, name: &PluginName, language: Language) -> Result<(), NewError> {
    let files = files(name, language);
    if let Some((taken, _)) = files.iter().find(|(path, _)| folder.join(path).exists()) {
        return Err(NewError::Exists(folder.join(taken)));
    }
    for (path, content) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, content));
        written.map_err(|error| NewError::Write { path, error })?;
    }
    Ok(())
}

fn files(name: &PluginName, language: Language) -> Vec<TemplateFile> {
    let example = embedded::example(language);
    let own = example
        .files
        .iter()
        .map(|(path, bytes)| (PathBuf::from(path), renamed(bytes, example.name, name)));
    own.chain(companions(language)).collect()
}

/// Returns the files that an example takes from elsewhere in Aviary's source tree: the contract, and the SDK.
fn companions(language: Language) -> Vec<TemplateFile> {
    let contract = |below: &str| -> Vec<TemplateFile> {
        let at = |path: &str| match path.strip_prefix("deps/") {
            // In a plugin of its own world the contract is a dependency beside its own.
            Some(dependency) => format!("wit/deps/{dependency}"),
            None => format!("wit/{below}{path}"),
        };
        CONTRACT.iter().map(|(path, bytes)| (at(path).into(), bytes.to_vec())).collect()
    };
    match language {
        Language::Rust => {
            let sdk = SDK.iter().map(|(path, bytes)| match *path {
                "Cargo.toml" => (path, standing_alone(bytes)),
                _ => (path, bytes.to_vec()),
            });
            let sdk = sdk.map(|(path, bytes)| (Path::new("aviary-sdk").join(path), bytes));
            sdk.chain(contract("")).collect()
        }
        Language::Typescript | Language::Javascript | Language::Python | Language::C => {
            contract("deps/lark-callback/")
        }
        Language::Go | Language::Zig => Vec::new(),
    }
}

/// Returns the example's text with the plugin's name, and with paths to the companions beside it.
fn renamed(bytes: &[u8], example: &str, name: &PluginName) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    text.replace(example, name.as_str())
        // Cargo's name of the library.
        .replace("hello_rust", &name.as_identifier())
        .replace("../../plugin-sdk", "aviary-sdk")
        .into_bytes()
}

/// Returns the SDK's manifest with the values that it inherits from Aviary's workspace written out, and without its lints.
fn standing_alone(manifest: &[u8]) -> Vec<u8> {
    let parse = |bytes: &[u8]| -> toml::Table {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        text.parse().unwrap_or_else(|error| unreachable!("embedded and tested: {error}"))
    };
    let (mut manifest, workspace) = (parse(manifest), parse(WORKSPACE));
    manifest.remove("lints");
    let inherited = &workspace["workspace"]["package"];
    if let Some(package) = manifest.get_mut("package").and_then(toml::Value::as_table_mut) {
        for (key, value) in package.iter_mut() {
            if let Some(shared) = value.get("workspace").and_then(|_| inherited.get(key)) {
                *value = shared.clone();
            }
        }
    }
    manifest.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn a_new_plugin_has_its_own_name_and_no_other() {
        let name: PluginName = "leave-approval".parse().unwrap();
        for language in Language::value_variants() {
            let folder = tempfile::tempdir().unwrap();
            create(folder.path(), &name, *language).unwrap();
            let recipe = crate::workshop::recipe::Recipe::read(folder.path()).unwrap();
            assert_eq!(recipe.name, name);
            let example = embedded::example(*language).name;
            for (path, bytes) in files(&name, *language) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert!(!text.contains(example), "{} names {example}", path.display());
                assert!(!text.contains("../../"), "{} leads outside", path.display());
            }
            assert!(matches!(create(folder.path(), &name, *language), Err(NewError::Exists(_))));
        }
    }
}
