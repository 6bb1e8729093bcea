//! Bodies with a limit on their size and, for responses, on their time.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::WasiBody;

use crate::capability::http::limits::MAX_REQUEST_BYTES;
use crate::capability::http::limits::MAX_RESPONSE_BYTES;
use crate::capability::http::no_answer::NoAnswer;

/// The body that a plugin sends. The request fails if it is too long.
#[derive(Debug)]
pub(super) struct OutgoingBody {
    body: WasiBody,
    left: u64,
}

impl OutgoingBody {
    pub(super) fn new(body: WasiBody) -> Self {
        Self { body, left: MAX_REQUEST_BYTES }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = NoAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoAnswer>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            // The only possible error: the plugin has left the body unfinished.
            let frame = frame.map_err(|_unfinished| NoAnswer::Protocol)?;
            self.left = left_after(self.left, &frame).ok_or(NoAnswer::RequestTooLong)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Time limits of a response's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) until: Instant,
    /// Limit from one part to the next, if the plugin sets one.
    pub(super) between: Option<Duration>,
}

impl Patience {
    fn next(&self) -> Instant {
        let now = Instant::now();
        // A plugin may set any 64-bit number of nanoseconds, so the addition is checked.
        let next = self.between.and_then(|between| now.checked_add(between));
        next.map_or(self.until, |next| next.min(self.until))
    }
}

/// The body that a plugin receives. Dropping it closes the connection and frees the request's places.
#[derive(Debug)]
pub(super) struct Received {
    body: Incoming,
    left: u64,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    _connection: AbortOnDropHandle<()>,
    _places: [OwnedSemaphorePermit; 2],
}

impl Received {
    pub(super) fn new(
        body: Incoming,
        patience: Patience,
        connection: AbortOnDropHandle<()>,
        places: [OwnedSemaphorePermit; 2],
    ) -> Self {
        let timer = Box::pin(tokio::time::sleep_until(patience.next()));
        let left = MAX_RESPONSE_BYTES;
        Self { body, left, patience, timer, _connection: connection, _places: places }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = NoAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoAnswer>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(NoAnswer::from(&error)))),
            Poll::Ready(Some(Ok(frame))) => {
                let Some(left) = left_after(self.left, &frame) else {
                    return Poll::Ready(Some(Err(NoAnswer::ResponseTooLong(None))));
                };
                self.left = left;
                let next = self.patience.next();
                self.timer.as_mut().reset(next);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(context));
                Poll::Ready(Some(Err(NoAnswer::NotInTime)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn left_after(left: u64, frame: &Frame<Bytes>) -> Option<u64> {
    left.checked_sub(frame.data_ref().map_or(0, |data| data.len() as u64))
}
