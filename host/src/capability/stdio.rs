//! A guest's standard output and error: kept up to a limit, for the log.

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

/// The output and error of one call, in the order they were written.
#[derive(Clone, Debug)]
pub struct Printed(Arc<Mutex<Buffer>>);

#[derive(Debug)]
struct Buffer {
    limit: usize,
    kept: Vec<u8>,
    beyond: u64,
}

impl Printed {
    /// Keeps the first `limit` bytes of one call's output, and counts the rest.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Buffer { limit, kept: Vec::new(), beyond: 0 })))
    }

    /// Takes the kept bytes, and the number of those that did not fit.
    pub fn take(&self) -> (Vec<u8>, u64) {
        let mut buffer = self.0.lock();
        (std::mem::take(&mut buffer.kept), std::mem::take(&mut buffer.beyond))
    }

    /// Returns about the last `bytes` bytes that were kept, in one line.
    pub fn tail(&self, bytes: usize) -> String {
        let buffer = self.0.lock();
        let end = &buffer.kept[buffer.kept.len().saturating_sub(bytes)..];
        let words = String::from_utf8_lossy(end);
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn append(&self, bytes: &[u8]) {
        let mut buffer = self.0.lock();
        let room = buffer.limit - buffer.kept.len();
        let (kept, beyond) = bytes.split_at(bytes.len().min(room));
        buffer.kept.extend_from_slice(kept);
        buffer.beyond += beyond.len() as u64;
    }
}

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
