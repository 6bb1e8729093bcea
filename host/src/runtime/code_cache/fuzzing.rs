//! The fuzz target for files of the code cache.

use std::fs::File;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::runtime::code_cache::entry::sealed;
use crate::runtime::code_cache::entry::verified;
use crate::runtime::code_cache::folder::CacheFolder;
use crate::runtime::code_cache::functions::open_pack;
use crate::runtime::code_cache::key::Key;

const KEY: Key = [7; 32];

/// A temporary folder with the one file that every input is written to.
static PLACE: LazyLock<(TempDir, CacheFolder)> = LazyLock::new(|| {
    let parent = tempfile::tempdir().expect("the machine has room for a folder");
    let folder = CacheFolder::open(parent.path().join("cache"), u64::MAX);
    (parent, folder.expect("the folder is the host's own"))
});

/// Two bytes select which byte of a good file is damaged and how; the code follows. Only an undamaged file may be used, and the
/// positions of functions in a pack must never lead outside of it.
pub fn code_cache(input: &[u8]) {
    is_trusted_as_written(input);
    let Some(([at, bits], code)) = input.split_first_chunk::<2>() else { return };
    let whole = sealed(&KEY, code.to_vec());
    is_trusted_as_written(&whole);
    let (_, length) =
        verified(written(&whole), &KEY).expect("a file that was just written is good");
    assert_eq!(length, code.len() as u64);
    if let Some(functions) = open_pack(&PLACE.1, &CacheFolder::pack(&KEY)) {
        assert!(functions.iter().all(|function| function.len() <= code.len()));
    }
    let mut damaged = whole;
    let at = usize::from(*at) % damaged.len();
    damaged[at] ^= bits | 1;
    assert!(verified(written(&damaged), &KEY).is_err(), "a damaged file is used");
}

fn is_trusted_as_written(bytes: &[u8]) {
    if let Ok((_, length)) = verified(written(bytes), &KEY) {
        let code = bytes[..length as usize].to_vec();
        assert_eq!(
            sealed(&KEY, code),
            bytes,
            "a file is used that the host would write in another way"
        );
    }
}

/// Writes these bytes to the file and opens it.
fn written(bytes: &[u8]) -> File {
    let (folder, name) = (&PLACE.1, CacheFolder::pack(&KEY));
    std::fs::write(folder.place(&name), bytes).expect("the machine has room for a file");
    folder.read(&name).expect("a file that was just written can be read")
}
