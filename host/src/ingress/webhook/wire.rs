//! What HTTP libraries hide and this product is about: when a request's first byte arrived, and when its answer's last
//! byte was given to the operating system.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;

use crate::dispatch::Flushed;

/// The two moments, shared between a connection's socket and its request handlers.
#[derive(Debug, Default)]
pub(super) struct Wire(Mutex<Moments>);

#[derive(Debug, Default)]
struct Moments {
    first_byte: Option<Instant>,
    written: bool,
    unflushed: Option<Flushed>,
}

impl Wire {
    /// When the request that is being read began to arrive.
    pub(super) fn first_byte(&self) -> Option<Instant> {
        self.lock().first_byte
    }

    /// The answer's bytes are in hyper's buffer; the next flush that completes has written them.
    pub(super) fn handed_over(&self, flushed: Flushed) {
        self.lock().unflushed = Some(flushed);
    }

    fn lock(&self) -> MutexGuard<'_, Moments> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_some(&self) {
        self.lock().first_byte.get_or_insert_with(Instant::now);
    }

    fn wrote_some(&self) {
        self.lock().written = true;
    }

    fn flushed(&self) {
        let mut moments = self.lock();
        if !std::mem::take(&mut moments.written) {
            return;
        }
        // The next byte to arrive belongs to the next request.
        moments.first_byte = None;
        let flushed = moments.unflushed.take();
        drop(moments);
        if let Some(flushed) = flushed {
            flushed.mark();
        }
    }
}

/// A socket that notes them. Hyper flushes the socket only once its own buffer is empty.
pub(super) struct WatchedStream<S> {
    stream: S,
    wire: Arc<Wire>,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(stream: S, wire: Arc<Wire>) -> Self {
        Self { stream, wire }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.wire.read_some();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire.wrote_some();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire.wrote_some();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.wire.flushed();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
