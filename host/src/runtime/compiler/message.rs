//! The messages between a host and its compiler: the order is written to standard input, the answers to standard output.

use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;

use crate::runtime::code_cache::Key;

/// The head of an order has some hundred bytes and a path.
const MAX_HEAD_BYTES: u32 = 64 << 10;
/// The longest text of an answer, in bytes. The compiler repeats names from the file, and a name may have a megabyte.
pub(super) const MAX_TEXT_BYTES: usize = 4 << 10;
/// Memory that is reserved before any content has arrived.
const PIECE: u64 = 1 << 20;

/// A file to compile, with the limits. The file's bytes follow the order.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::runtime) struct CompileOrder {
    /// The length of the file.
    pub(in crate::runtime) wasm_bytes: u64,
    /// The name under which the code is cached, which is part of its seal.
    pub(in crate::runtime) key: Key,
    /// The number of threads that compile.
    pub(in crate::runtime) threads: usize,
    /// Memory that the compiler may use, in bytes.
    pub(in crate::runtime) memory_bytes: u64,
    /// Processor time that the compiler may use, in seconds.
    pub(in crate::runtime) processor_secs: u64,
    /// The folder for compiled code, and its size in bytes.
    pub(in crate::runtime) cache: Option<(PathBuf, u64)>,
}

impl CompileOrder {
    /// Returns the bytes that precede the file.
    pub(in crate::runtime) fn head(&self) -> io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        // The host's paths are much shorter than that. The compiler would refuse a longer order.
        let mut head = (json.len() as u32).to_le_bytes().to_vec();
        head.extend_from_slice(&json);
        Ok(head)
    }

    pub(super) fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_HEAD_BYTES {
            return Err(io::Error::other("the order is too long"));
        }
        let mut json = vec![0; length as usize];
        input.read_exact(&mut json)?;
        Ok(serde_json::from_slice(&json)?)
    }
}

/// A compiler's answers to an order, in this sequence: perhaps `TakesLong`, then one of `Code` and `Refused`, and after `Code`
/// any number of `PackRefused` and one of `Kept` and `NotKept`. `Failed` may come in place of any of them.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::runtime) enum CompilerAnswer {
    /// The compilation has used the processor time of a short one, and continues.
    TakesLong,
    /// Machine code with its seal.
    Code(Vec<u8>),
    /// The file is not a plugin, for this reason.
    Refused(String),
    /// A pack of functions in the cache could not be used: its path, and why.
    PackRefused(String),
    /// The code is in the cache, or the cache is off.
    Kept,
    /// The code could not be written to the cache.
    NotKept(String),
    /// The compiler cannot work, whatever the file.
    Failed(String),
}

impl CompilerAnswer {
    fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::TakesLong => (0, &[]),
            Self::Code(code) => (1, code),
            Self::Refused(reason) => (2, reason.as_bytes()),
            Self::Kept => (3, &[]),
            Self::NotKept(reason) => (4, reason.as_bytes()),
            Self::Failed(reason) => (5, reason.as_bytes()),
            Self::PackRefused(reason) => (6, reason.as_bytes()),
        }
    }

    pub(super) fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let (kind, content) = self.parts();
        output.write_all(&[kind])?;
        output.write_all(&(content.len() as u64).to_le_bytes())?;
        output.write_all(content)?;
        output.flush()
    }

    /// Reads the next answer. `None` at the end. Content beyond the limit is the error `FileTooLarge`.
    pub(in crate::runtime) async fn read(
        input: &mut (impl AsyncRead + Unpin),
        max_code_bytes: u64,
    ) -> io::Result<Option<Self>> {
        let kind = match input.read_u8().await {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = input.read_u64_le().await?;
        let limit = if kind == 1 { max_code_bytes } else { MAX_TEXT_BYTES as u64 };
        if length > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut content = Vec::with_capacity(length.min(PIECE) as usize);
        input.take(length).read_to_end(&mut content).await?;
        if content.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = |content| String::from_utf8_lossy(content).into_owned();
        Ok(Some(match kind {
            0 => Self::TakesLong,
            1 => Self::Code(content),
            2 => Self::Refused(text(&content)),
            3 => Self::Kept,
            4 => Self::NotKept(text(&content)),
            5 => Self::Failed(text(&content)),
            6 => Self::PackRefused(text(&content)),
            _ => return Err(io::Error::other("the compiler's answer is of an unknown kind")),
        }))
    }
}

/// Cuts a text to the length that fits into an answer.
pub(super) fn clipped(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 1 << 20;

    fn order() -> CompileOrder {
        CompileOrder {
            wasm_bytes: 5,
            key: [7; 32],
            threads: 2,
            memory_bytes: 1 << 30,
            processor_secs: 60,
            cache: Some(("/var/cache/aviary".into(), 1 << 30)),
        }
    }

    #[test]
    fn an_order_is_read_as_it_was_given() {
        let head = order().head().unwrap();
        let read = CompileOrder::read(&mut head.as_slice()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", order()));
        assert!(CompileOrder::read(&mut &head[..head.len() - 1]).is_err());
        assert!(CompileOrder::read(&mut [0xff; 8].as_slice()).is_err(), "a head of four gigabytes");
    }

    #[tokio::test]
    async fn answers_are_read_as_they_were_given() {
        let all = [
            CompilerAnswer::TakesLong,
            CompilerAnswer::Code(vec![1; 100_000]),
            CompilerAnswer::Refused("no plugin".to_owned()),
            CompilerAnswer::PackRefused("pack: not a file".to_owned()),
            CompilerAnswer::Kept,
            CompilerAnswer::NotKept("the disk is full".to_owned()),
            CompilerAnswer::Failed("no thread".to_owned()),
        ];
        let mut bytes = Vec::new();
        for answer in &all {
            answer.write(&mut bytes).unwrap();
        }
        let mut input = bytes.as_slice();
        for answer in all {
            assert_eq!(CompilerAnswer::read(&mut input, MOST).await.unwrap(), Some(answer));
        }
        assert_eq!(CompilerAnswer::read(&mut input, MOST).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_is_refused() {
        let framed = |kind: u8, length: u64| [&[kind][..], &length.to_le_bytes()].concat();
        for bad in [framed(1, MOST + 1), framed(2, 1 << 40), framed(9, 0), framed(1, 1)] {
            assert!(CompilerAnswer::read(&mut bad.as_slice(), MOST).await.is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_text_is_clipped_between_two_characters() {
        let text = clipped("鸟".repeat(MAX_TEXT_BYTES));
        assert!(text.len() <= MAX_TEXT_BYTES && text.ends_with('鸟'));
    }
}
