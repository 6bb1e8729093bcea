//! A guest's standard output and error: kept up to a limit, for the log. The end of standard error is kept in any case, because
//! languages print there why they crash.

use std::sync::Arc;

use aviary_state::Mutex;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::IsTerminal;
use wasmtime_wasi::cli::StdoutStream;
use wasmtime_wasi::p2::OutputStream;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::p2::StreamResult;

/// Most bytes of one write; a guest may write as often as it likes.
const WRITE_SIZE: usize = 64 * 1024;
/// Bytes of the end of standard error that are kept at least.
const END_BYTES: usize = 16 * 1024;

/// The output and error of one call, in the order they were written.
#[derive(Clone, Debug)]
pub struct Printed(Arc<Mutex<Buffer>>);

#[derive(Debug)]
struct Buffer {
    limit: usize,
    kept: Vec<u8>,
    beyond: u64,
    errors: Ending,
}

/// The end of what was written to standard error.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The bytes that are left.
    pub bytes: Vec<u8>,
    /// True if the beginning is missing.
    pub is_cut: bool,
}

impl Ending {
    fn append(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(END_BYTES)..];
        self.is_cut |= last.len() < bytes.len();
        self.bytes.extend_from_slice(last);
        // Moving the rest to the front after every write would take longer than the writes.
        if self.bytes.len() > 2 * END_BYTES {
            self.bytes.drain(..self.bytes.len() - END_BYTES);
            self.is_cut = true;
        }
    }
}

impl Printed {
    /// Keeps the first `limit` bytes of one call's output, and counts the rest.
    pub fn new(limit: usize) -> Self {
        let errors = Ending::default();
        Self(Arc::new(Mutex::new(Buffer { limit, kept: Vec::new(), beyond: 0, errors })))
    }

    /// Returns the stream for standard error.
    pub fn errors(&self) -> PrintedErrors {
        PrintedErrors(self.clone())
    }

    /// Takes the kept bytes, and the number of those that did not fit.
    pub fn take(&self) -> (Vec<u8>, u64) {
        let mut buffer = self.0.lock();
        (std::mem::take(&mut buffer.kept), std::mem::take(&mut buffer.beyond))
    }

    /// Takes the end of standard error.
    pub fn take_errors(&self) -> Ending {
        std::mem::take(&mut self.0.lock().errors)
    }

    fn append(&self, bytes: &[u8]) {
        let mut buffer = self.0.lock();
        let room = buffer.limit - buffer.kept.len();
        let (kept, beyond) = bytes.split_at(bytes.len().min(room));
        buffer.kept.extend_from_slice(kept);
        buffer.beyond += beyond.len() as u64;
    }
}

/// The standard error of a guest.
#[derive(Clone, Debug)]
pub struct PrintedErrors(Printed);

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only `p2_stream` is used for components; the plain stream would be for wasip3.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_SIZE)
    }
}

impl IsTerminal for PrintedErrors {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for PrintedErrors {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        self.0.async_stream()
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for PrintedErrors {
    async fn ready(&mut self) {}
}

impl OutputStream for PrintedErrors {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let Self(Printed(buffer)) = self;
        buffer.lock().errors.append(&bytes);
        self.0.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_SIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_standard_error_is_kept_beyond_the_limit() {
        let printed = Printed::new(4);
        let (mut output, mut errors) = (printed.clone(), printed.errors());
        output.write("said ".into()).unwrap();
        for _ in 0..100_000 {
            errors.write("x".into()).unwrap();
        }
        errors.write("the reason".into()).unwrap();
        let (kept, beyond) = printed.take();
        assert_eq!((&*kept, beyond), (&b"said"[..], 1 + 100_000 + 10));
        let Ending { bytes, is_cut } = printed.take_errors();
        assert!(is_cut && bytes.ends_with(b"xthe reason"));
        assert!((END_BYTES..=2 * END_BYTES).contains(&bytes.len()), "{}", bytes.len());
        assert!(printed.take_errors().bytes.is_empty(), "the next call begins with nothing");
    }
}
