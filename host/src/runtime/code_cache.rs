//! Compiled code on disk, so that a file is compiled once and not at every start. Several hosts may share it.
//!
//! Cached code becomes machine code of this process. So it is used only if nobody but the host's own user could have written
//! it, and only if it is undamaged; otherwise the file is compiled again. The plugins folder is never a source of compiled
//! code.

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
use crate::runtime::code_cache::folder::CacheFolder;
use crate::runtime::code_cache::functions::Functions;
pub(super) use crate::runtime::code_cache::key::Key;
use crate::runtime::code_cache::key::Keys;
use crate::setting::Section;
use crate::setting::SettingError;
use crate::telemetry::events::CODE_CACHE_NOT_USED;
use crate::telemetry::events::CODE_REFUSED;
use crate::telemetry::metrics;

/// Compiled components are a few times as large as their files, and a Python plugin has 18 MB. Some dozens of those fit, or
/// some thousands of small ones.
const DEFAULT_MAX_BYTES: u64 = 2 << 30;
/// Less would not even hold one plugin of a language with a runtime of its own.
const LEAST_MAX_BYTES: u64 = 1 << 20;

/// `[cache]` of the configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// The folder for compiled code.
    pub path: CachePath,
    /// The total size of the files, in bytes. Beyond it, the least recently used files are deleted.
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
    /// `aviary` in the user's cache folder. All hosts and commands of a user share it, backups leave it out, and it belongs to
    /// the user already. A folder beside the configuration often belongs to a deployment that others can write to.
    #[default]
    OfUser,
    /// No code is kept on disk.
    Off,
    /// The folder at this path.
    Folder(PathBuf),
}

impl From<PathBuf> for CachePath {
    fn from(path: PathBuf) -> Self {
        if path == Path::new("off") { Self::Off } else { Self::Folder(path) }
    }
}

impl CacheConfig {
    /// Checks the numbers, and makes the path independent of the current folder.
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

    /// Returns the absolute path and the size, for a compiler process, which has neither this process's environment nor its
    /// current folder. `None` if no code is kept.
    pub(super) fn resolved(&self) -> Option<(PathBuf, u64)> {
        Some((std::path::absolute(self.path.folder()?).ok()?, self.max_bytes))
    }

    /// Returns the folder, and the reason if it cannot be used. Makes the folder if it is missing. `None` if no code is kept.
    pub fn look(&self) -> Option<(PathBuf, Result<(), String>)> {
        let path = self.path.folder()?;
        let opened = CacheFolder::open(path.clone(), self.max_bytes).map(drop);
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

/// Finds the folder by the XDG base directory specification, according to which relative paths are ignored.
fn folder_of_user(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let caches = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute());
    caches.or_else(|| Some(home()?.join(".cache"))).map(|caches| caches.join("aviary"))
}

/// The opened folder, before there is an engine. `None` if no code is kept on disk.
pub(super) struct OpenCache(Option<(Arc<CacheFolder>, Arc<Functions>)>);

impl OpenCache {
    /// Opens the folder. If it cannot be used, the host starts without a cache.
    pub(super) fn open(config: &CacheConfig) -> Self {
        let Some(path) = config.path.folder() else {
            if config.path == CachePath::OfUser {
                tracing::warn!(
                    "neither XDG_CACHE_HOME nor HOME is set: set cache.path, or every start compiles every plugin"
                );
            }
            return Self(None);
        };
        match CacheFolder::open(path.clone(), config.max_bytes) {
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

    /// Returns the store for the compiler's functions.
    pub(super) fn functions(&self) -> Option<Arc<dyn CacheStore>> {
        let (_, functions) = self.0.as_ref()?;
        Some(Arc::<Functions>::clone(functions))
    }

    /// Stores the sealed code of a file, and the functions that were compiled for it. Does nothing without a folder. Not for
    /// an I/O thread.
    pub(super) fn keep(&self, key: &Key, sealed: &[u8]) -> std::io::Result<()> {
        let Some((folder, functions)) = &self.0 else { return Ok(()) };
        functions.keep();
        folder.write(&CacheFolder::component(key), sealed)
    }

    /// Returns the function packs that were refused, each with its reason, and forgets them.
    pub(super) fn take_refused(&self) -> Vec<String> {
        self.0.as_ref().map(|(_, functions)| functions.take_refused()).unwrap_or_default()
    }

    /// Completes the cache with the settings of an engine.
    pub(super) fn with(self, engine: &Engine) -> CodeCache {
        CodeCache { folder: self.0.map(|(folder, _)| folder), keys: Keys::new(engine) }
    }
}

/// Copies code that runs in this process to another engine.
pub(super) fn copied(engine: &Engine, code: &Compiled) -> wasmtime::Result<Compiled> {
    native::copied(engine, code)
}

/// The code cache as the host uses it.
#[derive(Debug)]
pub(super) struct CodeCache {
    folder: Option<Arc<CacheFolder>>,
    keys: Keys,
}

impl CodeCache {
    /// Returns the name of the code for the file with this digest.
    pub(super) fn key(&self, wasm: &WasmDigest) -> Key {
        self.keys.component(wasm)
    }

    /// Loads the code of that name. Reads a file, so it must not run on an I/O thread.
    pub(super) fn load(&self, engine: &Engine, key: &Key) -> Option<Compiled> {
        let folder = self.folder.as_ref()?;
        let name = CacheFolder::component(key);
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

    /// Accepts code from a compiler, if it is complete and was made of the file of that name. Copies all of it, so it must not
    /// run on an I/O thread either.
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
