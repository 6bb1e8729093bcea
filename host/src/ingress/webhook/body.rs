//! Reads request bodies into bounded memory. A body takes room only as its bytes arrive, and its request counts as under way only
//! once the body is complete: a sender who announces bodies and does not send them keeps nobody else from being answered.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::ingress::webhook::WebhookConfig;
use crate::ingress::webhook::respond::Rejection;

/// Memory budget of all bodies of a listener: at most `max_requests` bodies of the largest size.
#[derive(Clone, Debug)]
pub(super) struct BodyRoom(Arc<Semaphore>);

/// A complete body, and the room that it takes.
pub(super) struct WholeBody {
    pub(super) bytes: Bytes,
    /// None for an empty body.
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

impl BodyRoom {
    pub(super) fn new(config: &WebhookConfig) -> Self {
        let bytes = config.max_requests.saturating_mul(config.max_body_bytes);
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Reads a body of at most `limit` bytes. Cancel safe: what was read is dropped, and its room is given back.
    pub(super) async fn read(&self, mut body: Body, limit: usize) -> Result<WholeBody, Rejection> {
        let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
        let mut room: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Rejection::Broken(error.to_string()))?;
            let Ok(part) = frame.into_data() else { continue };
            let so_far = first.len() + joined.len();
            if so_far + part.len() > limit {
                return Err(Rejection::TooLarge { limit });
            }
            let wanted = u32::try_from(part.len()).map_err(|_| Rejection::TooLarge { limit })?;
            let more =
                Arc::clone(&self.0).try_acquire_many_owned(wanted).map_err(|_| Rejection::Busy)?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            if so_far == 0 {
                first = part;
            } else {
                // Most bodies come in one piece and are not copied.
                if joined.is_empty() {
                    joined.extend_from_slice(&std::mem::take(&mut first));
                }
                joined.extend_from_slice(&part);
            }
        }
        let bytes = if joined.is_empty() { first } else { joined.freeze() };
        Ok(WholeBody { bytes, _room: room })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    fn room(bytes: usize) -> BodyRoom {
        BodyRoom::new(&WebhookConfig {
            max_requests: 1,
            max_body_bytes: bytes,
            ..WebhookConfig::default()
        })
    }

    fn body(parts: &[&'static str]) -> Body {
        let parts: Vec<_> = parts.iter().map(|part| Ok::<_, std::io::Error>(*part)).collect();
        Body::from_stream(stream::iter(parts))
    }

    #[tokio::test]
    async fn parts_are_joined_within_the_limit() {
        let room = room(100);
        for (parts, whole) in [
            (&[][..], ""),
            (&["abc"], "abc"),
            (&["a", "", "b"], "ab"),
            (&["", "ab", "c", "d"], "abcd"),
        ] {
            assert_eq!(room.read(body(parts), 4).await.map_err(drop).unwrap().bytes, whole);
        }
        let refused = room.read(body(&["abc", "de"]), 4).await.map(drop);
        assert!(matches!(refused, Err(Rejection::TooLarge { limit: 4 })), "{refused:?}");
    }

    #[tokio::test]
    async fn what_was_read_takes_room_until_it_is_dropped() {
        let room = room(4);
        let whole = room.read(body(&["ab", "c"]), 4).await.map_err(drop).unwrap();
        let refused = room.read(body(&["ab"]), 4).await.map(drop);
        assert!(matches!(refused, Err(Rejection::Busy)), "{refused:?}");
        drop(whole);
        assert!(room.read(body(&["abcd"]), 4).await.is_ok());
        assert!(room.read(body(&["abcd"]), 4).await.is_ok(), "a refused body gives its room back");
    }
}
