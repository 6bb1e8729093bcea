//! Records what HTTP libraries hide: when a request's first byte arrived, when its answer's last byte was given to the operating
//! system, and whether the connection waits for its client.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;

/// Time in which a client has to read [`WRITE_STEP`] bytes, or all that is left of an answer. The platform has given up after
/// three seconds; this is for a person who looks at the dashboard over a poor line.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes after which [`WRITE_TIMEOUT`] begins anew: an answer of a few megabytes may take longer, at six kilobytes a second at
/// least.
const WRITE_STEP: usize = 64 << 10;

/// The side that a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The client, since then: to begin a request, to finish it, or to read the answer.
    Client(Instant),
    /// The server, since then: it has the whole request, or has last written something.
    Server(Instant),
}

/// Called once an answer's last byte was written. It is dropped uncalled if that never happens.
pub(super) type WhenFlushed = Box<dyn FnOnce() + Send>;

/// State that a connection's socket, its request handlers and the table of connections share.
pub struct Wire(Mutex<Moments>);

struct Moments {
    first_byte: Option<Instant>,
    written: bool,
    has_request: bool,
    has_answer: bool,
    when_flushed: Option<WhenFlushed>,
    turn: Turn,
}

impl Wire {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Moments {
            first_byte: None,
            written: false,
            has_request: false,
            has_answer: false,
            when_flushed: None,
            turn: Turn::Client(now),
        }))
    }

    /// Returns the moment at which the request that is being read began to arrive.
    pub fn first_byte(&self) -> Option<Instant> {
        self.0.lock().first_byte
    }

    /// Says that the answer's bytes are in hyper's buffer; the next flush that completes has written them.
    pub fn handed_over(&self, when_flushed: WhenFlushed) {
        self.0.lock().when_flushed = Some(when_flushed);
    }

    pub(super) fn turn(&self) -> Turn {
        self.0.lock().turn
    }

    /// Says that nothing more of the request is waited for.
    pub(super) fn request_arrived(&self, now: Instant) {
        let mut moments = self.0.lock();
        if !std::mem::replace(&mut moments.has_request, true) {
            moments.turn = Turn::Server(now);
        }
    }

    /// Says that hyper has taken the answer's last byte.
    pub(super) fn answer_ended(&self) {
        self.0.lock().has_answer = true;
    }

    fn read_some(&self) {
        let mut moments = self.0.lock();
        if moments.first_byte.is_none() {
            let now = Instant::now();
            moments.first_byte = Some(now);
            moments.turn = Turn::Client(now);
        }
    }

    fn wrote_some(&self) {
        self.0.lock().written = true;
    }

    /// Says that the client does not read what is written to it.
    fn stalled(&self) {
        self.0.lock().turn = Turn::Client(Instant::now());
    }

    fn flushed(&self) {
        let mut moments = self.0.lock();
        if !std::mem::take(&mut moments.written) {
            return;
        }
        let now = Instant::now();
        if std::mem::take(&mut moments.has_answer) {
            // The next byte to arrive belongs to the next request.
            moments.first_byte = None;
            moments.has_request = false;
            moments.turn = Turn::Client(now);
        } else if moments.has_request {
            moments.turn = Turn::Server(now);
        }
        let when_flushed = moments.when_flushed.take();
        drop(moments);
        if let Some(when_flushed) = when_flushed {
            when_flushed();
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Wire").field(&self.turn()).finish()
    }
}

/// A socket that reports its progress to a [`Wire`], and fails when its client does not read. Hyper flushes the socket only once
/// its own buffer is empty.
pub(super) struct WatchedStream<S> {
    stream: S,
    wire: Arc<Wire>,
    write_timeout: Duration,
    patience: Option<Pin<Box<Sleep>>>,
    /// Bytes since `patience` began.
    written: usize,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(stream: S, wire: Arc<Wire>, write_timeout: Duration) -> Self {
        Self { stream, wire, write_timeout, patience: None, written: 0 }
    }

    /// Fails once the client has taken nothing for too long.
    fn wait_for_client<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let (wire, limit) = (&self.wire, self.write_timeout);
        let patience = self.patience.get_or_insert_with(|| {
            wire.stalled();
            Box::pin(tokio::time::sleep(limit))
        });
        match patience.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn after_write(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Pending => return self.wait_for_client(context),
            Poll::Ready(Ok(bytes)) if self.patience.is_some() => {
                self.written += bytes;
                if self.written >= WRITE_STEP {
                    (self.patience, self.written) = (None, 0);
                }
            }
            Poll::Ready(_) => {}
        }
        result
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
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire.wrote_some();
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => self.wait_for_client(context),
            Poll::Ready(result) => {
                (self.patience, self.written) = (None, 0);
                if result.is_ok() {
                    self.wire.flushed();
                }
                Poll::Ready(result)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.wait_for_client(context),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;
    use tokio::io::DuplexStream;

    use super::*;

    const PIPE: usize = 1 << 10;
    const TIMEOUT: Duration = Duration::from_millis(200);

    fn pipe() -> (WatchedStream<DuplexStream>, DuplexStream, Arc<Wire>) {
        let (server, client) = tokio::io::duplex(PIPE);
        let wire = Arc::new(Wire::new(Instant::now()));
        (WatchedStream::new(server, Arc::clone(&wire), TIMEOUT), client, wire)
    }

    #[tokio::test]
    async fn who_never_reads_is_given_up() {
        let (mut server, _client, wire) = pipe();
        let began = Instant::now();
        wire.request_arrived(began);
        let error = server.write_all(&[0; 2 * PIPE]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= TIMEOUT);
        assert!(matches!(wire.turn(), Turn::Client(_)), "it waited for its client");
    }

    #[tokio::test]
    async fn who_reads_a_drop_at_a_time_is_given_up_and_who_reads_slowly_is_not() {
        // Less than a step in a time-out, and a step every few milliseconds for longer than a time-out.
        for (bytes, every, ends_well) in
            [(64, Duration::from_millis(20), false), (16 << 10, Duration::from_millis(10), true)]
        {
            let (server, mut client) = tokio::io::duplex(64 << 10);
            let wire = Arc::new(Wire::new(Instant::now()));
            let mut server = WatchedStream::new(server, wire, TIMEOUT);
            let reading = tokio::spawn(async move {
                let mut buffer = vec![0; bytes];
                while client.read_exact(&mut buffer).await.is_ok() {
                    tokio::time::sleep(every).await;
                }
            });
            let began = Instant::now();
            let written = server.write_all(&vec![0; 32 * WRITE_STEP]).await;
            assert_eq!(written.is_ok(), ends_well, "{bytes} bytes every {every:?}: {written:?}");
            assert!(began.elapsed() > TIMEOUT, "the limit was tried");
            reading.abort();
        }
    }

    #[tokio::test]
    async fn it_is_known_for_whom_a_connection_waits() {
        let began = Instant::now();
        let (mut server, mut client, wire) = pipe();
        client.write_all(b"ab").await.unwrap();
        server.read_exact(&mut [0; 1]).await.unwrap();
        let first = wire.first_byte().unwrap();
        assert_eq!(wire.turn(), Turn::Client(first));
        // Dripping gains nothing.
        server.read_exact(&mut [0; 1]).await.unwrap();
        assert_eq!((wire.turn(), wire.first_byte()), (Turn::Client(first), Some(first)));
        wire.request_arrived(began);
        assert_eq!(wire.turn(), Turn::Server(began));
        // A part of an answer.
        server.write_all(b"1").await.unwrap();
        server.flush().await.unwrap();
        assert!(matches!(wire.turn(), Turn::Server(since) if since > began));
        assert_eq!(wire.first_byte(), Some(first));
        let told = Arc::new(Mutex::new(0));
        let heard = Arc::clone(&told);
        wire.handed_over(Box::new(move || *heard.lock() += 1));
        wire.answer_ended();
        server.write_all(b"2").await.unwrap();
        assert_eq!(*told.lock(), 0);
        server.flush().await.unwrap();
        assert!(matches!(wire.turn(), Turn::Client(_)) && wire.first_byte().is_none());
        assert_eq!(*told.lock(), 1);
    }
}
