//! Compiled code on disk: what this host or another one has compiled once is not compiled again.
//!
//! What lies there becomes machine code of this process. So it is used only where nobody but the host's own user could
//! have put it, and only if it is as it was written; everything else is compiled again. Plugin files are no concern of it:
//! compiled code in a plugins folder is never accepted.

mod entry;
mod folder;
mod functions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod key;
mod native;
mod way;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use wasmtime::CacheStore;
use wasmtime::Engine;

use crate::runtime::code::linked::Compiled;
use crate::runtime::code::wasm::WasmDigest;
pub(super) use crate::runtime::code_cache::entry::Distrust;
pub(super) use crate::runtime::code_cache::entry::sealed;
use crate::runtime::code_cache::folder::Folder;
use crate::runtime::code_cache::functions::Functions;
pub(super) use crate::runtime::code_cache::key::Key;
use crate::runtime::code_cache::key::Keys;
use crate::setting::Section;
use crate::setting::SettingError;
use crate::telemetry::events::CODE_CACHE_NOT_USED;
use crate::telemetry::events::CODE_REFUSED;
use crate::telemetry::metrics;

/// Compiled components are a few times as large as their files, and a Python plugin has 18 MB: some dozens of those, or
/// some thousands of small ones.
const DEFAULT_MAX_BYTES: u64 = 2 << 30;
/// Below, not even one plugin of a language with a runtime of its own would fit.
const LEAST_MAX_BYTES: u64 = 1 << 20;

/// `[cache]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// Where compiled code lies.
    pub path: CachePath,
    /// What lies there at most. What was used longest ago goes first.
    pub max_bytes: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { path: CachePath::OfUser, max_bytes: DEFAULT_MAX_BYTES }
    }
}

/// A folder that belongs to the host's user, and that nobody else can write to.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(from = "PathBuf")]
pub enum CachePath {
    /// `aviary` in the user's folder for caches. Every host of a user and every command shares it, it is out of the way
    /// of backups, and it belongs to the user already; beside the configuration, code would often lie in a folder
    /// that others deploy to.
    #[default]
    OfUser,
    /// No code is kept.
    Off,
    /// This one.
    Folder(PathBuf),
}

impl From<PathBuf> for CachePath {
    fn from(path: PathBuf) -> Self {
        if path == Path::new("off") { Self::Off } else { Self::Folder(path) }
    }
}

impl CacheConfig {
    /// Checks the numbers, and makes the path one that does not depend on the current folder.
    pub fn check(self, beside: &Path) -> Result<Self, SettingError> {
        if self.max_bytes < LEAST_MAX_BYTES {
            let problem = format!(
                "{} is less than {LEAST_MAX_BYTES}; to keep no code, set cache.path = \"off\"",
                self.max_bytes
            );
            return Err(Section("cache").wrong("max_bytes", problem));
        }
        let path = match self.path {
            CachePath::Folder(path) => CachePath::Folder(beside.join(path)),
            path @ (CachePath::OfUser | CachePath::Off) => path,
        };
        Ok(Self { path, ..self })
    }

    /// The folder as a compiler is told of it, which has neither this process's environment nor its current folder.
    pub(super) fn resolved(&self) -> Option<(PathBuf, u64)> {
        Some((std::path::absolute(self.path.folder()?).ok()?, self.max_bytes))
    }

    /// Where code is kept, if it is, and why that place is not used. It is made where it is missing.
    pub fn look(&self) -> Option<(PathBuf, Result<(), String>)> {
        let path = self.path.folder()?;
        let opened = Folder::open(path.clone(), self.max_bytes).map(drop);
        Some((path, opened.map_err(|distrust| distrust.to_string())))
    }
}

impl CachePath {
    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::Folder(path) => Some(path.clone()),
            Self::OfUser => folder_of_user(|name| std::env::var_os(name).map(PathBuf::from)),
        }
    }
}

/// By the XDG base directory specification, which also says that a relative path is to be ignored.
fn folder_of_user(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let caches = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute());
    caches.or_else(|| Some(home()?.join(".cache"))).map(|caches| caches.join("aviary"))
}

/// A folder that can be used, before there is an engine.
pub(super) struct OpenCache(Option<(Arc<Folder>, Arc<Functions>)>);

impl OpenCache {
    /// Looks at the folder, and does without where it cannot be used: a cache is no reason not to start.
    pub(super) fn open(config: &CacheConfig) -> Self {
        let Some(path) = config.path.folder() else {
            if config.path == CachePath::OfUser {
                tracing::warn!(
                    "neither XDG_CACHE_HOME nor HOME is set: set cache.path, or every start compiles every plugin"
                );
            }
            return Self(None);
        };
        match Folder::open(path.clone(), config.max_bytes) {
            Ok(folder) => {
                let folder = Arc::new(folder);
                Self(Some((Arc::clone(&folder), Arc::new(Functions::new(folder)))))
            }
            Err(distrust) => {
                let folder = path.display();
                tracing::warn!(%folder, reason = %distrust, "{CODE_CACHE_NOT_USED}");
                metrics::record_code_cache_refusal(distrust.word());
                Self(None)
            }
        }
    }

    /// What the compiler asks for functions.
    pub(super) fn functions(&self) -> Option<Arc<dyn CacheStore>> {
        let (_, functions) = self.0.as_ref()?;
        Some(Arc::<Functions>::clone(functions))
    }

    /// Keeps the code of a file with its seal, and the functions that were compiled for it. Nothing is done where there is
    /// no cache. Not for an I/O thread.
    pub(super) fn keep(&self, key: &Key, sealed: &[u8]) -> std::io::Result<()> {
        let Some((folder, functions)) = &self.0 else { return Ok(()) };
        functions.keep();
        folder.write(&Folder::component(key), sealed)
    }

    /// Takes the packs of functions that were not used, each with its reason.
    pub(super) fn take_refused(&self) -> Vec<String> {
        self.0.as_ref().map(|(_, functions)| functions.take_refused()).unwrap_or_default()
    }

    /// For what runs in that engine.
    pub(super) fn with(self, engine: &Engine) -> CodeCache {
        CodeCache { folder: self.0.map(|(folder, _)| folder), keys: Keys::new(engine) }
    }
}

/// Code that runs in this process already, for another engine.
pub(super) fn copied(engine: &Engine, code: &Compiled) -> wasmtime::Result<Compiled> {
    native::copied(engine, code)
}

/// Compiled code on disk, as the host uses it.
#[derive(Debug)]
pub(super) struct CodeCache {
    folder: Option<Arc<Folder>>,
    keys: Keys,
}

impl CodeCache {
    /// Names the code of the file with this digest.
    pub(super) fn key(&self, wasm: &WasmDigest) -> Key {
        self.keys.component(wasm)
    }

    /// The code of that name. Reads a file: not for an I/O thread.
    pub(super) fn load(&self, engine: &Engine, key: &Key) -> Option<Compiled> {
        let folder = self.folder.as_ref()?;
        let name = Folder::component(key);
        let loaded = folder
            .read(&name)
            .and_then(|file| entry::verified(file, key))
            .and_then(|(file, _)| native::compiled(engine, &file));
        match loaded {
            Ok(compiled) => Some(compiled),
            Err(Distrust::Absent) => None,
            Err(distrust) => {
                let file = folder.place(&name);
                let file = file.display();
                tracing::warn!(%file, reason = %distrust, "{CODE_REFUSED}");
                metrics::record_code_cache_refusal(distrust.word());
                None
            }
        }
    }

    /// Code that a compiler has sent, if it is whole and was made of the file of that name. Copies all of it: not for an I/O
    /// thread either.
    pub(super) fn received(
        &self,
        engine: &Engine,
        key: &Key,
        sealed: &[u8],
    ) -> Result<Compiled, Distrust> {
        native::received(engine, entry::unsealed(key, sealed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_user_is_where_other_programs_have_it() {
        let found = |caches: Option<&str>, home: Option<&str>| {
            folder_of_user(|name| {
                let value = if name == "HOME" { home } else { caches };
                value.map(PathBuf::from)
            })
        };
        assert_eq!(found(Some("/c"), Some("/h")), Some("/c/aviary".into()));
        assert_eq!(found(Some("c"), Some("/h")), Some("/h/.cache/aviary".into()));
        assert_eq!(found(None, Some("/h")), Some("/h/.cache/aviary".into()));
        assert_eq!(found(None, Some("")), None);
        assert_eq!(found(None, None), None);
    }

    #[test]
    fn a_path_is_relative_to_the_configuration() {
        let check =
            |text: &str| toml::from_str::<CacheConfig>(text).unwrap().check(Path::new("/etc"));
        assert_eq!(check("path = \"code\"").unwrap().path, CachePath::Folder("/etc/code".into()));
        assert_eq!(check("path = \"off\"").unwrap().path, CachePath::Off);
        assert_eq!(check("").unwrap().path, CachePath::OfUser);
        assert_eq!(check("max_bytes = 1").unwrap_err().key, "cache.max_bytes");
    }
}
