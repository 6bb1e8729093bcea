//! The fuzz target for files of the code cache.

use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::plugin::code_cache::entry::sealed;
use crate::plugin::code_cache::entry::verified;
use crate::plugin::code_cache::functions::open_pack;
use crate::plugin::code_cache::key::Key;

const KEY: Key = [7; 32];

/// One file that every input is written to.
static FILE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("the machine has room for a folder");
    let file = folder.path().join(hex::encode(KEY)).with_extension("functions");
    (folder, file)
});

/// Two bytes say which byte of a good file is damaged, and how; the code follows. Only an undamaged file is used, and the
/// positions that a pack gives for its functions never lead outside of it.
pub fn code_cache(input: &[u8]) {
    let file = &FILE.1;
    is_trusted_as_written(file, input);
    let Some(([at, bits], code)) = input.split_first_chunk::<2>() else { return };
    let whole = sealed(&KEY, code.to_vec());
    is_trusted_as_written(file, &whole);
    write(file, &whole);
    let (_, length) = verified(file, &KEY).expect("a file that was just written is good");
    assert_eq!(length, code.len() as u64);
    if let Some(functions) = open_pack(file) {
        assert!(functions.iter().all(|function| function.len() <= code.len()));
    }
    let mut damaged = whole;
    let at = usize::from(*at) % damaged.len();
    damaged[at] ^= bits | 1;
    write(file, &damaged);
    assert!(verified(file, &KEY).is_err(), "a damaged file is used");
}

fn is_trusted_as_written(file: &Path, bytes: &[u8]) {
    write(file, bytes);
    if let Ok((_, length)) = verified(file, &KEY) {
        let code = bytes[..length as usize].to_vec();
        assert_eq!(
            sealed(&KEY, code),
            bytes,
            "a file is used that the host would write in another way"
        );
    }
}

fn write(file: &Path, bytes: &[u8]) {
    std::fs::write(file, bytes).expect("the machine has room for a file");
}
