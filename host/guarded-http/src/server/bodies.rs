//! The two bodies of an exchange, as the connection follows them: a request's, which has to arrive in time, and an answer's.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::server::wire::Wire;

/// Reason why a body ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body did not arrive within {0:?}")]
    Slow(Duration),
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// A request's body, which has to arrive in time. Once it is dropped, the rest of it is not waited for.
pub(super) struct ArrivingBody {
    body: Incoming,
    wire: Arc<Wire>,
    began: Instant,
    limit: Duration,
    /// Timer of the body, made when the body is first waited for: most bodies arrive with their head.
    patience: Option<Pin<Box<Sleep>>>,
}

impl ArrivingBody {
    pub(super) fn new(body: Incoming, wire: Arc<Wire>, limit: Duration) -> Self {
        let began = wire.first_byte().unwrap_or_else(Instant::now);
        let body = Self { body, wire, began, limit, patience: None };
        if body.body.is_end_stream() {
            body.wire.request_arrived(Instant::now());
        }
        body
    }
}

impl Body for ArrivingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if frame.is_none() || self.body.is_end_stream() {
                    self.wire.request_arrived(Instant::now());
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Poll::Pending => {
                let (due, limit) = (self.began + self.limit, self.limit);
                let patience =
                    self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
                patience.as_mut().poll(context).map(|()| Some(Err(BodyError::Slow(limit))))
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

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        self.wire.request_arrived(Instant::now());
    }
}

/// An answer's body. Hyper drops it once it has taken all of it.
pub(super) struct LeavingBody {
    body: axum::body::Body,
    wire: Arc<Wire>,
}

impl LeavingBody {
    pub(super) fn new(body: axum::body::Body, wire: Arc<Wire>) -> Self {
        Self { body, wire }
    }
}

impl Body for LeavingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for LeavingBody {
    fn drop(&mut self) {
        self.wire.answer_ended();
    }
}
