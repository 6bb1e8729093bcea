//! One file of the ring: a line that names the format, then records, each with its length and a checksum. Reading stops at a
//! record that was not written to its end; nothing is ever appended after one, because every start begins a new file.

use std::path::Path;

/// The first line of a file.
pub(super) const HEAD: &[u8] = b"aviary journal 2\n";
/// The extension of a file.
pub(super) const ENDING: &str = "journal";
/// Bytes before the text of a record: its length and the checksum of the text.
const FRAME: usize = 2 * size_of::<u32>();
/// Longest record, in bytes. A callback of the webhook may have 4 MiB, and then it is not recorded.
pub(super) const MOST_BYTES: usize = 3 << 20;

/// Returns the checksum of a text. It detects torn writes and bad disks, not forgery: an attacker could write a valid checksum
/// as well.
fn check(text: &[u8]) -> [u8; 4] {
    crc32fast::hash(text).to_le_bytes()
}

/// The reason why a record was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAppended {
    /// The text of the record could not be made.
    Unreadable,
    /// The text is longer than a record may be.
    TooLong,
}

/// Appends a record of at most `most` bytes, which `write` writes in place to avoid a copy. Leaves the buffer as it was if it
/// fails.
pub(super) fn append(
    buffer: &mut Vec<u8>,
    most: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
) -> Result<(), NotAppended> {
    let before = buffer.len();
    buffer.extend([0; FRAME]);
    let text = before + FRAME;
    let result = match write(buffer) {
        None => Err(NotAppended::Unreadable),
        Some(()) if buffer.len() - text > most.min(MOST_BYTES) => Err(NotAppended::TooLong),
        Some(()) => Ok(()),
    };
    match result {
        Ok(()) => {
            let length = (buffer.len() - text) as u32;
            let sum = check(&buffer[text..]);
            buffer[before..text].copy_from_slice(&[length.to_le_bytes(), sum].concat());
        }
        Err(_) => buffer.truncate(before),
    }
    result
}

/// Returns the complete records of a file, oldest first.
pub(super) fn records(file: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    let Some(mut rest) = file.strip_prefix(HEAD) else { return all };
    while let Some((frame, behind)) = rest.split_at_checked(FRAME) {
        let (length, sum) = frame.split_at(size_of::<u32>());
        let length = <[u8; 4]>::try_from(length)
            .map_or(usize::MAX, |length| u32::from_le_bytes(length) as usize);
        if length > MOST_BYTES {
            break;
        }
        let Some((text, next)) = behind.split_at_checked(length) else { break };
        if check(text) != *sum {
            break;
        }
        all.push(text);
        rest = next;
    }
    all
}

/// Returns the files of a folder, oldest first: their names begin with the time. A missing folder has no files.
pub(super) fn files(folder: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &[u8]) -> impl FnOnce(&mut Vec<u8>) -> Option<()> {
        move |buffer| {
            buffer.extend(text);
            Some(())
        }
    }

    fn file(texts: &[&[u8]]) -> Vec<u8> {
        let mut file = HEAD.to_vec();
        for text in texts {
            append(&mut file, MOST_BYTES, whole(text)).unwrap();
        }
        file
    }

    #[test]
    fn a_file_is_read_up_to_where_it_is_whole() {
        let whole = file(&[b"one", b"", b"three"]);
        assert_eq!(records(&whole), [&b"one"[..], b"", b"three"]);
        let first_two = file(&[b"one", b""]).len();
        for torn in first_two..whole.len() {
            assert_eq!(records(&whole[..torn]), [&b"one"[..], b""], "{torn} bytes");
        }
        for torn in 0..HEAD.len() {
            assert_eq!(records(&whole[..torn]).len(), 0);
        }
    }

    #[test]
    fn what_is_damaged_is_not_read() {
        let mut damaged = file(&[b"one", b"two"]);
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(records(&damaged), [b"one"]);
    }

    #[test]
    fn what_is_refused_leaves_nothing() {
        let mut buffer = b"before".to_vec();
        let long = vec![0; MOST_BYTES + 1];
        assert_eq!(append(&mut buffer, usize::MAX, whole(&long)), Err(NotAppended::TooLong));
        let half = |buffer: &mut Vec<u8>| {
            buffer.push(0);
            None
        };
        assert_eq!(append(&mut buffer, MOST_BYTES, half), Err(NotAppended::Unreadable));
        assert_eq!(buffer, b"before");
    }
}
