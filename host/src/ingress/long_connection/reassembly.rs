//! Joins the fragments of a message, within limits.
//!
//! Bytes are joined before they are parsed: a fragment may end inside a character. A completed message is not run again if one of
//! its fragments comes twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Bounded;
use bytes::Bytes;
use bytes::BytesMut;
use tokio::time::Instant;

/// The largest message, in bytes. The platform's have a few kilobytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// The most fragments of one message.
const MAX_FRAGMENTS: usize = 1024;
/// The most incomplete messages of one connection.
const MAX_PENDING: usize = 256;
/// The most bytes of all incomplete messages of one connection.
const MAX_PENDING_BYTES: usize = 64 * 1024 * 1024;
/// The longest wait for the next fragment. After that the platform's own three seconds are over anyway.
const FRAGMENT_TTL: Duration = Duration::from_secs(5);
/// The longest message id. The platform's have some forty characters; ids are kept, so a stranger's must not be larger.
const MAX_ID_BYTES: usize = 256;
/// The number of completed messages whose ids are kept to recognise repeated fragments.
const MAX_COMPLETED: usize = 1024;

/// One fragment's place in its message.
#[derive(Clone, Copy, Debug)]
pub(super) struct FragmentPlace<'a> {
    /// The id of the message.
    pub(super) message_id: &'a str,
    /// The message's number of fragments.
    pub(super) sum: usize,
    /// The number of this fragment, counted from 0.
    pub(super) seq: usize,
}

/// A whole message, and when its first byte arrived.
#[derive(Debug)]
pub(super) struct CompleteMessage {
    pub(super) payload: Bytes,
    pub(super) received: Instant,
}

/// Why a fragment was discarded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum FragmentError {
    #[error("fragment {seq} of {sum}")]
    OutOfRange { sum: usize, seq: usize },
    #[error("a fragment without a message id, or with one of more than {MAX_ID_BYTES} bytes")]
    BadId,
    #[error("a message of {0} fragments; the limit is {MAX_FRAGMENTS}")]
    TooMany(usize),
    #[error("a message of {found} fragments that had {expected} before")]
    SumChanged { expected: usize, found: usize },
    #[error("a message of more than {MAX_MESSAGE_BYTES} bytes")]
    TooLarge,
    #[error("too many incomplete messages at a time")]
    TooManyPending,
}

#[derive(Debug)]
struct Pending {
    parts: Vec<Option<Bytes>>,
    missing: usize,
    bytes: usize,
    received: Instant,
    last: Instant,
}

/// The incomplete messages of one connection.
#[derive(Debug)]
pub(super) struct Reassembler {
    pending: HashMap<String, Pending>,
    bytes: usize,
    /// The ids of the most recently completed messages.
    completed: Bounded<Arc<str>, ()>,
}

impl Default for Reassembler {
    fn default() -> Self {
        Self { pending: HashMap::new(), bytes: 0, completed: Bounded::new(MAX_COMPLETED) }
    }
}

impl Reassembler {
    /// Adds a fragment; returns the message if this completes it.
    pub(super) fn add(
        &mut self,
        place: FragmentPlace<'_>,
        part: &Bytes,
        now: Instant,
    ) -> Result<Option<CompleteMessage>, FragmentError> {
        let FragmentPlace { message_id, sum, seq } = place;
        if sum <= 1 {
            return Ok(Some(CompleteMessage { payload: part.clone(), received: now }));
        }
        if sum > MAX_FRAGMENTS {
            return Err(FragmentError::TooMany(sum));
        }
        if seq >= sum {
            return Err(FragmentError::OutOfRange { sum, seq });
        }
        if message_id.is_empty() || message_id.len() > MAX_ID_BYTES {
            return Err(FragmentError::BadId);
        }
        if self.completed.contains(message_id) {
            return Ok(None);
        }
        if !self.pending.contains_key(message_id) && self.pending.len() == MAX_PENDING {
            return Err(FragmentError::TooManyPending);
        }
        if self.bytes + part.len() > MAX_PENDING_BYTES {
            return Err(FragmentError::TooManyPending);
        }
        let pending = self.pending.entry(message_id.to_owned()).or_insert_with(|| Pending {
            parts: vec![None; sum],
            missing: sum,
            bytes: 0,
            received: now,
            last: now,
        });
        if pending.parts.len() != sum {
            return Err(FragmentError::SumChanged { expected: pending.parts.len(), found: sum });
        }
        pending.last = now;
        if pending.parts[seq].is_none() {
            pending.bytes += part.len();
            self.bytes += part.len();
            pending.missing -= 1;
            // Copies, because the fragment is a view into its frame and would keep the whole frame in memory.
            pending.parts[seq] = Some(Bytes::copy_from_slice(part));
        }
        if pending.bytes > MAX_MESSAGE_BYTES {
            self.forget(message_id);
            return Err(FragmentError::TooLarge);
        }
        if pending.missing > 0 {
            return Ok(None);
        }
        Ok(self.forget(message_id).map(|whole| {
            self.completed.insert(message_id.into(), ());
            whole.join()
        }))
    }

    /// Drops messages whose next fragment did not come in time. Returns their ids.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<String> {
        let late = |pending: &Pending| now.duration_since(pending.last) > FRAGMENT_TTL;
        let expired: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| late(pending))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &expired {
            self.forget(id);
        }
        expired
    }

    /// Returns true if a message waits for a fragment.
    pub(super) fn any_incomplete(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Returns the number of incomplete messages, and the bytes of their fragments.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.pending.len(), self.bytes)
    }

    fn forget(&mut self, message_id: &str) -> Option<Pending> {
        let pending = self.pending.remove(message_id)?;
        self.bytes -= pending.bytes;
        Some(pending)
    }
}

impl Pending {
    fn join(self) -> CompleteMessage {
        let mut payload = BytesMut::with_capacity(self.bytes);
        for part in self.parts.into_iter().flatten() {
            payload.extend_from_slice(&part);
        }
        CompleteMessage { payload: payload.freeze(), received: self.received }
    }
}
