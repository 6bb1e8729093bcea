//! The format of a pack: a table of the functions' positions, followed by their code.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use crate::runtime::code_cache::entry::Distrust;
use crate::runtime::code_cache::entry::sealed;
use crate::runtime::code_cache::entry::verified;
use crate::runtime::code_cache::folder::CacheFolder;
use crate::runtime::code_cache::key::Key;

/// The compiler's name of a function.
pub(super) type FunctionKey = [u8; 32];

/// The size of the number of functions.
const COUNT_BYTES: usize = 4;
/// The size of a table entry: a function's key, position and length.
const PLACE_BYTES: usize = 32 + 8 + 4;

/// An open pack that was found valid. Its contents do not change, even if the file is deleted or replaced.
pub(super) struct Pack {
    file: File,
    places: HashMap<FunctionKey, FunctionPlace>,
    was_used: AtomicBool,
}

#[derive(Clone, Copy)]
struct FunctionPlace {
    begin: u64,
    length: u32,
}

impl Pack {
    pub(super) fn open(folder: &CacheFolder, name: &str) -> Result<Self, Distrust> {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let mut key = Key::default();
        hex::decode_to_slice(stem, &mut key).map_err(|_not_our_name| Distrust::Damaged)?;
        let (file, length) = verified(folder.read(name)?, &key)?;
        let places = read_places(&file, length)?.ok_or(Distrust::Damaged)?;
        Ok(Self { file, places, was_used: AtomicBool::new(false) })
    }

    /// Writes a new pack. `None` if it does not fit into the folder.
    pub(super) fn write(
        folder: &CacheFolder,
        functions: HashMap<FunctionKey, Vec<u8>>,
    ) -> Result<Option<Self>, Distrust> {
        let mut functions: Vec<_> = functions.into_iter().collect();
        // Sorted, so that two hosts that compile the same functions write the same file.
        functions.sort();
        let mut name = blake3::Hasher::new();
        let mut begin = (COUNT_BYTES + functions.len() * PLACE_BYTES) as u64;
        // A compilation has some ten thousand functions of some kilobytes each, so both numbers fit.
        let mut bytes = (functions.len() as u32).to_le_bytes().to_vec();
        for (key, code) in &functions {
            name.update(key);
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&begin.to_le_bytes());
            bytes.extend_from_slice(&(code.len() as u32).to_le_bytes());
            begin += code.len() as u64;
        }
        for (_, code) in &functions {
            bytes.extend_from_slice(code);
        }
        let key: Key = name.finalize().into();
        let name = CacheFolder::pack(&key);
        folder.write(&name, &sealed(&key, bytes)).map_err(Distrust::Read)?;
        match Self::open(folder, &name) {
            Ok(pack) => Ok(Some(pack)),
            Err(Distrust::Absent) => Ok(None),
            Err(distrust) => Err(distrust),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn keys(&self) -> impl Iterator<Item = &FunctionKey> {
        self.places.keys()
    }

    pub(super) fn get(&self, key: &FunctionKey) -> Option<Vec<u8>> {
        let FunctionPlace { begin, length } = *self.places.get(key)?;
        let mut code = vec![0; length as usize];
        // If the disk fails, the function is compiled again.
        self.file.read_exact_at(&mut code, begin).ok()?;
        self.was_used.store(true, Ordering::Relaxed);
        Some(code)
    }

    /// Tells whether a function was read since the last mark.
    pub(super) fn was_used(&self) -> bool {
        self.was_used.load(Ordering::Relaxed)
    }

    /// Marks the file as used now, if a function was read since the last mark.
    pub(super) fn keep_mark(&self) {
        if self.was_used.swap(false, Ordering::Relaxed) {
            // If the disk is read-only, nothing has to be deleted from it either.
            let _ = self.file.set_modified(SystemTime::now());
        }
    }
}

/// Reads the table. `None` if it contradicts the file's length. The seal was valid then, so the writer made a mistake.
fn read_places(
    file: &File,
    length: u64,
) -> Result<Option<HashMap<FunctionKey, FunctionPlace>>, std::io::Error> {
    if length < COUNT_BYTES as u64 {
        return Ok(None);
    }
    let mut count = [0; COUNT_BYTES];
    file.read_exact_at(&mut count, 0)?;
    let table = u64::from(u32::from_le_bytes(count)) * PLACE_BYTES as u64;
    if length - (COUNT_BYTES as u64) < table {
        return Ok(None);
    }
    let mut places = vec![0; table as usize];
    file.read_exact_at(&mut places, COUNT_BYTES as u64)?;
    let place = |bytes: &[u8]| {
        let (key, rest) = bytes.split_first_chunk::<32>()?;
        let (begin, rest) = rest.split_first_chunk::<8>()?;
        let place = FunctionPlace {
            begin: u64::from_le_bytes(*begin),
            length: u32::from_le_bytes(rest.try_into().ok()?),
        };
        let end = place.begin.checked_add(u64::from(place.length))?;
        (end <= length).then_some((*key, place))
    };
    Ok(places.chunks_exact(PLACE_BYTES).map(place).collect())
}
