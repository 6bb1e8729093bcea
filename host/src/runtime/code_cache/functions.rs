//! Compiled functions on disk: most functions of an edited plugin were compiled before, and need not be compiled again.
//!
//! The compiler names each function by a hash of everything that its code depends on, including the compiler's own version and
//! settings. The new functions of one compilation are written as one pack, because a file for each would be thousands of
//! files.

mod pack;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::Once;

use aviary_state::Mutex;
use wasmtime::CacheStore;

use crate::runtime::code_cache::entry::Distrust;
use crate::runtime::code_cache::folder::CacheFolder;
use crate::runtime::code_cache::functions::pack::FunctionKey;
use crate::runtime::code_cache::functions::pack::Pack;

/// Packs in use. A compiler searches each of them for a function. An edit of a plugin adds one, and the least recently used
/// one is dropped.
const MAX_PACKS: usize = 64;
/// Functions in all packs. Each takes some sixty bytes of memory. The largest runtimes have 30 000.
const MAX_FUNCTIONS: usize = 300_000;
/// Memory for functions that are not in a pack yet.
const MAX_FRESH_BYTES: usize = 32 << 20;

/// The packs of one folder, and the functions that were compiled since the last pack was written.
pub(super) struct Functions {
    folder: Arc<CacheFolder>,
    looked: Once,
    state: Mutex<PackState>,
}

#[derive(Default)]
struct PackState {
    /// The least recently used first.
    packs: Vec<Arc<Pack>>,
    fresh: HashMap<FunctionKey, Vec<u8>>,
    fresh_bytes: usize,
    /// Packs that could not be used, each with its reason.
    refused: Vec<String>,
}

impl fmt::Debug for Functions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Functions").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Functions {
    /// Makes a store that reads nothing before the first search.
    pub(super) fn new(folder: Arc<CacheFolder>) -> Self {
        Self { folder, looked: Once::new(), state: Mutex::default() }
    }

    /// Returns the packs that were refused since the last call, each with its reason.
    pub(super) fn take_refused(&self) -> Vec<String> {
        mem::take(&mut self.state.lock().refused)
    }

    /// Writes the functions that were compiled since the last call as a pack.
    pub(super) fn keep(&self) {
        let mut state = self.state.lock();
        let fresh = mem::take(&mut state.fresh);
        state.fresh_bytes = 0;
        // Packs that were used move behind those that were not.
        state.packs.sort_by_key(|pack| pack.was_used());
        let packs = state.packs.clone();
        drop(state);
        for pack in packs {
            pack.keep_mark();
        }
        if fresh.is_empty() {
            return;
        }
        match Pack::write(&self.folder, fresh) {
            Ok(Some(pack)) => self.state.lock().add(pack),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "code cache: functions not kept"),
        }
    }

    /// Opens the packs. Each is read whole, and every compilation is a process of its own that does so once, so no more packs
    /// are opened than are used.
    fn look(&self) {
        let all = self.folder.packs();
        let too_old = all.len().saturating_sub(MAX_PACKS);
        for name in all.into_iter().skip(too_old) {
            match Pack::open(&self.folder, &name) {
                Ok(pack) => self.state.lock().add(pack),
                Err(Distrust::Absent) => {}
                Err(distrust) => {
                    let file = self.folder.place(&name);
                    self.state.lock().refused.push(format!("{}: {distrust}", file.display()));
                    // A damaged pack would be refused at every start, so it is deleted.
                    self.folder.remove(&name);
                }
            }
        }
    }
}

/// Returns every function of a pack, for the fuzz target. `None` if the pack is invalid.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn open_pack(folder: &CacheFolder, name: &str) -> Option<Vec<Vec<u8>>> {
    let pack = Pack::open(folder, name).ok()?;
    Some(pack.keys().filter_map(|key| pack.get(key)).collect())
}

impl PackState {
    fn add(&mut self, pack: Pack) {
        self.packs.push(Arc::new(pack));
        let functions = |packs: &[Arc<Pack>]| packs.iter().map(|pack| pack.len()).sum::<usize>();
        while self.packs.len() > MAX_PACKS || functions(&self.packs) > MAX_FUNCTIONS {
            self.packs.remove(0);
        }
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.looked.call_once(|| self.look());
        let key = FunctionKey::try_from(key).ok()?;
        let packs = {
            let state = self.state.lock();
            if let Some(code) = state.fresh.get(&key) {
                return Some(Cow::Owned(code.clone()));
            }
            state.packs.clone()
        };
        packs.iter().rev().find_map(|pack| pack.get(&key)).map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        let Ok(key) = FunctionKey::try_from(key) else { return false };
        let mut state = self.state.lock();
        state.fresh_bytes += code.len();
        state.fresh.insert(key, code);
        let is_full = state.fresh_bytes > MAX_FRESH_BYTES;
        drop(state);
        if is_full {
            self.keep();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(home: &tempfile::TempDir) -> Functions {
        let folder = CacheFolder::open(home.path().to_owned(), 1 << 20).unwrap();
        Functions::new(Arc::new(folder))
    }

    #[test]
    fn another_host_finds_what_one_has_kept() {
        let home = tempfile::tempdir().unwrap();
        let first = functions(&home);
        for number in 0..100_u8 {
            assert!(first.get(&[number; 32]).is_none());
            assert!(first.insert(&[number; 32], vec![number; usize::from(number)]));
        }
        assert_eq!(first.get(&[7; 32]).unwrap(), vec![7; 7], "before it is on disk");
        first.keep();
        assert_eq!(first.get(&[7; 32]).unwrap(), vec![7; 7], "and after");
        let second = functions(&home);
        for number in 0..100_u8 {
            assert_eq!(second.get(&[number; 32]).unwrap(), vec![number; usize::from(number)]);
        }
        assert!(second.get(&[200; 32]).is_none());
        assert!(second.get(b"short").is_none());
    }

    #[test]
    fn a_damaged_pack_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let first = functions(&home);
        first.insert(&[1; 32], b"code".to_vec());
        first.keep();
        let [name] = &first.folder.packs()[..] else { panic!("one pack") };
        let path = &first.folder.place(name);
        let mut bytes = std::fs::read(path).unwrap();
        bytes[50] ^= 1;
        std::fs::write(path, bytes).unwrap();
        assert!(functions(&home).get(&[1; 32]).is_none());
        assert!(first.folder.packs().is_empty(), "and is no trouble again");
    }

    #[test]
    fn the_number_of_packs_is_bounded() {
        let home = tempfile::tempdir().unwrap();
        let first = functions(&home);
        for number in 0..=MAX_PACKS {
            first.insert(&[u8::try_from(number).unwrap(); 32], b"code".to_vec());
            assert!(first.get(&[0; 32]).is_some(), "what is used every time stays");
            first.keep();
        }
        assert_eq!(first.state.lock().packs.len(), MAX_PACKS);
        assert!(first.get(&[1; 32]).is_none());
        assert!(first.get(&[2; 32]).is_some());
    }
}
