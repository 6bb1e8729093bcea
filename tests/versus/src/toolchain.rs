//! The benchmark's plugin in several languages, built as a newcomer builds one: `aviary new`, a source file, `aviary build`.

use anyhow::Context as _;
use aviary_e2e::artifacts::source_root;
use aviary_e2e::desk::Desk;
use serde::Serialize;

/// The plugin's name. Cargo puts all guests into one folder by their names, so it is none of theirs.
const PLUGIN: &str = "versus-plugin";
/// What every source file has in it once, and says in the toast.
const WORDS: &str = "Clicked by ";
/// The same after an edit.
const EDITED_WORDS: &str = "Touched by ";
/// What the plugin exports; Rust has it from its SDK.
const WORLD: &str = "tests/versus/contestants/world.wit";

/// What makes a component of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Toolchain {
    /// The compiler of the host itself.
    Rust,
    /// TypeScript on QuickJS.
    Quickjs,
    /// JavaScript on StarlingMonkey.
    Starlingmonkey,
    /// CPython.
    Python,
}

/// Which version of the source.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    /// What the SDKs' handlers say.
    Original,
    /// Other words in its toast.
    Edited,
}

impl Toolchain {
    /// For the table.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Quickjs => "TypeScript on QuickJS",
            Self::Starlingmonkey => "JavaScript on StarlingMonkey",
            Self::Python => "Python",
        }
    }

    /// What the time from an edit to its being live is called in the report.
    pub(crate) fn live(self) -> &'static str {
        match self {
            Self::Rust => "edit_to_live_rust_s",
            Self::Quickjs => "edit_to_live_quickjs_s",
            Self::Starlingmonkey => "edit_to_live_starlingmonkey_s",
            Self::Python => "edit_to_live_python_s",
        }
    }

    /// And how much longer than before others wait meanwhile.
    pub(crate) fn meanwhile(self) -> &'static str {
        match self {
            Self::Rust => "edit_rust_p99_vs_quiet",
            Self::Quickjs => "edit_quickjs_p99_vs_quiet",
            Self::Starlingmonkey => "edit_starlingmonkey_p99_vs_quiet",
            Self::Python => "edit_python_p99_vs_quiet",
        }
    }

    /// As `aviary new` calls it.
    fn language(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Quickjs => "typescript",
            Self::Starlingmonkey => "javascript",
            Self::Python => "python",
        }
    }

    /// The source here, and its place in the plugin.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Rust => ("tests/guests/names-operator/src/lib.rs", "src/lib.rs"),
            Self::Quickjs => ("tests/versus/contestants/plugin.ts", "src/plugin.ts"),
            Self::Starlingmonkey => ("tests/versus/contestants/plugin.js", "src/plugin.js"),
            Self::Python => ("tests/versus/contestants/app.py", "src/app.py"),
        }
    }

    /// The component, built in the same folder whatever the version, as an author does it; none if this machine is excused
    /// from having what the language needs.
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
