//! Reads files that other people or programs may have put there. All such reads go through here.
//!
//! Such a file may be a FIFO, a device, a socket, a link to a secret, or grow while it is read. So it is opened without blocking,
//! the opened descriptor has to be a regular file, and no more than a limit is read. Files of a folder that other people fill are
//! read through [`OpenFolder`], which never follows a link out of the folder.
//!
//! The functions here block, and a network file system may block them for ever. So the running host calls them through
//! [`off_thread`]. Commands, and the start before any door opens, may call them directly.

mod beneath;
mod off_thread;

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

pub use crate::small_file::beneath::OpenFolder;
pub use crate::small_file::off_thread::off_thread;

/// Flags for reading: opening a FIFO does not wait for a writer, a terminal does not become the controlling one, and child
/// processes do not inherit the descriptor.
const READ_ONLY: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A file could not be read: its path, the problem and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct ReadError {
    path: PathBuf,
    fault: ReadFault,
}

/// The problem with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFault {
    /// The system refused to open or read the file.
    #[error("cannot be read: {0}")]
    System(#[from] std::io::Error),
    /// Something other than a regular file has this name.
    #[error("is {0} and not a regular file; put a regular file in its place")]
    NotRegular(&'static str),
    /// The file has, or grew to, more bytes than its purpose needs.
    #[error("has more than {limit} bytes, the most that is read of it; make it smaller")]
    TooLarge {
        /// The most bytes that are read.
        limit: u64,
    },
    /// A link, or `..`, leads out of the folder.
    #[error("leads out of the folder {}; copy the file into the folder instead of linking to it", .0.display())]
    Outside(PathBuf),
    /// A secret has another hard link, so it may also be a file of another folder.
    #[error("has another hard link, so it may be a file from outside the folder; copy it instead")]
    HardLinked,
    /// The file is not UTF-8 text.
    #[error("is not UTF-8 text; save it as UTF-8")]
    NotUtf8,
    /// A folder has too many entries to look through.
    #[error("has more than {limit} entries; remove what does not belong there")]
    TooManyEntries {
        /// The most entries that are listed.
        limit: usize,
    },
    /// The file system did not answer in time.
    #[error("was not read within {0:?}; check that its file system answers")]
    Slow(Duration),
    /// All threads that may read this file wait for file systems that do not answer.
    #[error(
        "is not read: {0} earlier reads have not returned; check that their file systems answer"
    )]
    Busy(usize),
}

impl ReadError {
    fn new(path: &Path, fault: impl Into<ReadFault>) -> Self {
        Self { path: path.to_owned(), fault: fault.into() }
    }

    /// Returns true if the path does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(&self.fault, ReadFault::System(error) if error.kind() == std::io::ErrorKind::NotFound)
    }
}

impl From<ReadError> for std::io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error.fault {
            ReadFault::System(error) => error.kind(),
            _ => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl From<Errno> for ReadFault {
    fn from(error: Errno) -> Self {
        match error {
            // Only sockets and missing devices fail with this error.
            Errno::NXIO => Self::NotRegular("a socket or a missing device"),
            error => Self::System(error.into()),
        }
    }
}

/// Reads a file that the person who runs the program named. Links are followed.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let read = || content(&regular(open(path)?)?, limit);
    read().map_err(|fault| ReadError::new(path, fault))
}

/// Reads a text file that the person who runs the program named. Links are followed.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    text(path, read(path, limit)?)
}

/// Reads a file that another process appends to, up to its length at this moment.
pub fn read_so_far(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let read = || {
        let file = regular(open(path)?)?;
        let length = file.metadata()?.size();
        if length > limit {
            return Err(ReadFault::TooLarge { limit });
        }
        let mut bytes = Vec::new();
        (&file).take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|fault| ReadError::new(path, fault))
}

/// Checks that an opened file is a regular one, for callers that do not read all of it.
pub fn check_regular(file: &File, path: &Path) -> Result<(), ReadError> {
    kind_of(file).map_err(|fault| ReadError::new(path, fault))
}

fn open(path: &Path) -> Result<OwnedFd, ReadFault> {
    Ok(rustix::fs::open(path, READ_ONLY, Mode::empty())?)
}

fn regular(file: OwnedFd) -> Result<File, ReadFault> {
    let file = File::from(file);
    kind_of(&file)?;
    Ok(file)
}

fn kind_of(file: &File) -> Result<(), ReadFault> {
    let mode = rustix::fs::fstat(file)?.st_mode;
    Err(ReadFault::NotRegular(match FileType::from_raw_mode(mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a folder",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Symlink | FileType::Unknown => "something unknown",
    }))
}

/// Reads the content up to the limit. The length is checked first, to refuse without reading, and the bytes afterwards: the file
/// may have grown, and files of the kernel report no length.
fn content(file: &File, limit: u64) -> Result<Vec<u8>, ReadFault> {
    let length = file.metadata()?.size();
    if length > limit {
        return Err(ReadFault::TooLarge { limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(ReadFault::TooLarge { limit }) } else { Ok(bytes) }
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, ReadError> {
    String::from_utf8(bytes).map_err(|_| ReadError::new(path, ReadFault::NotUtf8))
}

#[cfg(test)]
mod tests;
