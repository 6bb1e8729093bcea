//! The format of a cached file: wasmtime's code, followed by a seal that reveals damage.
//!
//! The seal is at the end, so that wasmtime can map the file as it is: the sections of an object file are located from its
//! beginning, and bytes after them are ignored. It reveals damage, not forgery: an attacker who could forge the code could
//! seal it as well, and is kept out by the checks of the file's owner. So the hash is the fastest that misses no damage,
//! because some dozens of megabytes are read each time.

use std::fs::File;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use xxhash_rust::xxh3::Xxh3;

use crate::runtime::code_cache::key::Key;

/// The last bytes of every file. The number changes with the format.
const MAGIC: &[u8; 8] = b"aviary-2";
/// The size of a seal: a hash and the magic.
const SEAL_BYTES: u64 = size_of::<u128>() as u64 + MAGIC.len() as u64;
/// Mode bits that let other users write.
pub(super) const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Bytes that are read and hashed at once, which fit into a core's own cache.
const PIECE: usize = 256 << 10;

/// Why something on disk is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(in crate::runtime) enum Distrust {
    /// The file does not exist, which is not a fault.
    #[error("not there")]
    Absent,
    #[error("{0}")]
    Read(std::io::Error),
    #[error("it is not a {0}")]
    WrongKind(&'static str),
    #[error("{} is a link; set cache.path to the folder that the link leads to", path.display())]
    Link { path: PathBuf },
    #[error(
        "others can write to its parent folder {} (mode {mode:o}) and put another folder in its place; take that from \
         them, for example with chmod go-w, or set cache.path to a folder whose parents only the host's user and root \
         can write to",
        path.display()
    )]
    ParentWritable { path: PathBuf, mode: u32 },
    #[error(
        "its parent folder {} belongs to user {owner}, who can put another folder in its place; set cache.path to a \
         folder whose parents belong to the host's user or to root",
        path.display()
    )]
    ParentOfOther { path: PathBuf, owner: u32 },
    #[error("a second hard link leads to it, and the host makes none")]
    SecondName,
    #[error("it belongs to user {owner} and not to the one the host runs as, {host}")]
    NotOurs { owner: u32, host: u32 },
    #[error(
        "others can write to it (mode {mode:o}); take that from them, for example with chmod go-w"
    )]
    WritableByOthers { mode: u32 },
    #[error("it was cut short or written over")]
    Damaged,
    #[error("wasmtime does not take it: {0}")]
    NotTaken(String),
}

impl Distrust {
    /// Returns the word for the metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Read(_) => "unreadable",
            Self::WrongKind(_) => "wrong_kind",
            Self::Link { .. } => "link",
            Self::ParentWritable { .. } | Self::ParentOfOther { .. } => "parent",
            Self::SecondName => "second_name",
            Self::NotOurs { .. } => "owner",
            Self::WritableByOthers { .. } => "writable_by_others",
            Self::Damaged => "damaged",
            Self::NotTaken(_) => "not_taken",
        }
    }
}

impl From<std::io::Error> for Distrust {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::NotFound { Self::Absent } else { Self::Read(error) }
    }
}

/// Checks that nobody but the host's user and root can have written there.
pub(super) fn only_ours(metadata: &Metadata) -> Result<(), Distrust> {
    let (owner, host) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != host {
        return Err(Distrust::NotOurs { owner, host });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(Distrust::WritableByOthers { mode });
    }
    Ok(())
}

/// Appends a seal to the code. The key is part of the hash, so a file under another name counts as damaged.
pub(in crate::runtime) fn sealed(key: &Key, mut code: Vec<u8>) -> Vec<u8> {
    let mut hasher = hasher(key);
    hasher.update(&code);
    code.extend_from_slice(&seal(&hasher));
    code
}

fn hasher(key: &Key) -> Xxh3 {
    let mut hasher = Xxh3::new();
    hasher.update(key);
    hasher
}

fn seal(hasher: &Xxh3) -> Vec<u8> {
    [hasher.digest128().to_le_bytes().as_slice(), MAGIC].concat()
}

/// Returns the code if its seal is valid.
pub(super) fn unsealed<'a>(key: &Key, sealed: &'a [u8]) -> Result<&'a [u8], Distrust> {
    let length = sealed.len().checked_sub(SEAL_BYTES as usize).ok_or(Distrust::Damaged)?;
    let (code, end) = sealed.split_at(length);
    let mut hasher = hasher(key);
    hasher.update(code);
    if end == seal(&hasher) { Ok(code) } else { Err(Distrust::Damaged) }
}

/// Checks the owner and the seal of a file. Returns it with the length of its code, and marks it as used now.
pub(super) fn verified(mut file: File, key: &Key) -> Result<(File, u64), Distrust> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Distrust::WrongKind("file"));
    }
    only_ours(&metadata)?;
    if metadata.nlink() > 1 {
        return Err(Distrust::SecondName);
    }
    let length = metadata.len().checked_sub(SEAL_BYTES).ok_or(Distrust::Damaged)?;
    let mut left = length;
    let mut hasher = hasher(key);
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        file.read_exact(&mut piece[..wanted])?;
        hasher.update(&piece[..wanted]);
        left -= wanted as u64;
    }
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    if end != seal(&hasher) {
        return Err(Distrust::Damaged);
    }
    // If the disk is read-only, nothing has to be deleted from it either.
    let _ = file.set_modified(SystemTime::now());
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: Key = [7; 32];

    fn file_with(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn what_was_written_is_trusted() {
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let file = file_with(&sealed(&KEY, vec![1; size]));
            verified(file.reopen().unwrap(), &KEY).unwrap();
        }
    }

    #[test]
    fn what_was_sent_is_trusted_only_as_it_was_sealed() {
        let whole = sealed(&KEY, b"machine code".to_vec());
        assert_eq!(unsealed(&KEY, &whole).unwrap(), b"machine code");
        assert!(matches!(unsealed(&[8; 32], &whole), Err(Distrust::Damaged)));
        for length in 0..whole.len() {
            assert!(matches!(unsealed(&KEY, &whole[..length]), Err(Distrust::Damaged)));
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let whole = sealed(&KEY, b"machine code".to_vec());
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            let found = verified(file_with(&damaged).into_file(), &KEY);
            assert!(matches!(found, Err(Distrust::Damaged)), "{index}: {found:?}");
        }
    }

    #[test]
    fn every_length_but_the_right_one_is_noticed() {
        let whole = sealed(&KEY, b"machine code".to_vec());
        for length in 0..whole.len() {
            let found = verified(file_with(&whole[..length]).into_file(), &KEY);
            assert!(matches!(found, Err(Distrust::Damaged)), "{length}: {found:?}");
        }
        let longer = [whole.as_slice(), b"x"].concat();
        assert!(matches!(verified(file_with(&longer).into_file(), &KEY), Err(Distrust::Damaged)));
    }

    #[test]
    fn a_whole_file_under_another_name_is_refused() {
        let file = file_with(&sealed(&KEY, b"machine code".to_vec()));
        assert!(matches!(verified(file.reopen().unwrap(), &[8; 32]), Err(Distrust::Damaged)));
    }

    #[test]
    fn what_others_can_write_to_is_refused() {
        let file = file_with(&sealed(&KEY, b"machine code".to_vec()));
        for mode in [0o620, 0o602, 0o666] {
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            let found = verified(file.reopen().unwrap(), &KEY);
            assert!(matches!(found, Err(Distrust::WritableByOthers { .. })), "{found:?}");
        }
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644)).unwrap();
        verified(file.reopen().unwrap(), &KEY).unwrap();
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let opened = File::open(folder.path()).unwrap();
        assert!(matches!(verified(opened, &KEY), Err(Distrust::WrongKind(_))));
    }
}
