//! The benchmark's plugin in several languages, built as a newcomer builds one: `aviary new`, a source file, `aviary build`.

use anyhow::Context as _;
use aviary_e2e::artifacts::source_root;
use aviary_e2e::desk::Desk;
use serde::Serialize;

/// Name of the plugin. Cargo puts all guests into one folder by their names, so it must differ from theirs.
const PLUGIN: &str = "versus-plugin";
/// Text that every source file contains once, and that its toast shows.
const WORDS: &str = "Clicked by ";
/// Replacement for that text in the edited version.
const EDITED_WORDS: &str = "Touched by ";
/// World of the plugins; Rust has it from its SDK.
const WORLD: &str = "tests/versus/contestants/world.wit";

/// Tools that build a component from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Toolchain {
    /// Rust, with the compiler of the host itself.
    Rust,
    /// TypeScript, compiled for QuickJS.
    Quickjs,
    /// JavaScript, compiled for StarlingMonkey.
    Starlingmonkey,
    /// Python, with CPython as its runtime.
    Python,
}

/// Version of the plugin's source.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    /// The same text as the SDKs' handlers show.
    Original,
    /// Another text in its toast.
    Edited,
}

impl Toolchain {
    /// Returns the name for the table.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Quickjs => "TypeScript on QuickJS",
            Self::Starlingmonkey => "JavaScript on StarlingMonkey",
            Self::Python => "Python",
        }
    }

    /// Returns the report's name for the time from an edit until the new version is live.
    pub(crate) fn live(self) -> &'static str {
        match self {
            Self::Rust => "edit_to_live_rust_s",
            Self::Quickjs => "edit_to_live_quickjs_s",
            Self::Starlingmonkey => "edit_to_live_starlingmonkey_s",
            Self::Python => "edit_to_live_python_s",
        }
    }

    /// Returns the report's name for the additional latency of other plugins meanwhile.
    pub(crate) fn meanwhile(self) -> &'static str {
        match self {
            Self::Rust => "edit_rust_p99_vs_quiet",
            Self::Quickjs => "edit_quickjs_p99_vs_quiet",
            Self::Starlingmonkey => "edit_starlingmonkey_p99_vs_quiet",
            Self::Python => "edit_python_p99_vs_quiet",
        }
    }

    /// Returns the language's name in `aviary new`.
    fn language(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Quickjs => "typescript",
            Self::Starlingmonkey => "javascript",
            Self::Python => "python",
        }
    }

    /// Returns the source file in this folder, and its path in the plugin.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Rust => ("tests/guests/names-operator/src/lib.rs", "src/lib.rs"),
            Self::Quickjs => ("tests/versus/contestants/plugin.ts", "src/plugin.ts"),
            Self::Starlingmonkey => ("tests/versus/contestants/plugin.js", "src/plugin.js"),
            Self::Python => ("tests/versus/contestants/app.py", "src/app.py"),
        }
    }

    /// Builds the component, in the same folder for both versions, as an author does; `None` if this machine is excused from the
    /// language's tools.
    pub(crate) fn component(self, version: Version) -> anyhow::Result<Option<Vec<u8>>> {
        let words = match version {
            Version::Original => WORDS,
            Version::Edited => EDITED_WORDS,
        };
        let language = self.language();
        let Some(desk) = Desk::open("versus", language)? else { return Ok(None) };
        desk.clear(PLUGIN)?;
        desk.types(&format!("aviary new {PLUGIN} --lang {language}"))?;
        let plugin = desk.folder().join(PLUGIN);
        let (source, place) = self.source();
        let text = std::fs::read_to_string(source_root().join(source)).context(source)?;
        std::fs::write(plugin.join(place), text.replace(WORDS, words))?;
        if self != Self::Rust {
            std::fs::copy(source_root().join(WORLD), plugin.join("wit/world.wit"))?;
        }
        desk.build(PLUGIN, &format!("aviary build {PLUGIN} --out plugins"))?;
        let component = desk.folder().join(format!("plugins/{PLUGIN}.wasm"));
        std::fs::read(&component).map(Some).with_context(|| component.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_has_the_words_that_an_edit_changes_once() {
        for toolchain in
            [Toolchain::Rust, Toolchain::Quickjs, Toolchain::Starlingmonkey, Toolchain::Python]
        {
            let source = source_root().join(toolchain.source().0);
            let text = std::fs::read_to_string(source).unwrap();
            assert_eq!(text.matches(WORDS).count(), 1, "{toolchain:?}");
        }
    }
}
