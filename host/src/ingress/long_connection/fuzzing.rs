//! The fuzz target for joining fragments.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::ingress::long_connection::reassembly::FragmentPlace;
use crate::ingress::long_connection::reassembly::Reassembler;

/// Maximum number of incomplete messages of one connection.
const MOST_PENDING: usize = 256;
const MOST_PENDING_BYTES: usize = 64 << 20;
/// A fragment of this length stands for one of a mebibyte, so that a short input can reach the limits.
const LARGE: u8 = 0xff;
/// Bytes of input that describe one fragment.
const STEP_BYTES: usize = 5;

/// Joins the fragments of a few messages. Five bytes describe each fragment: its message, the number of fragments in that
/// message, its index, its length, and the time since the previous one. A complete message must consist of the first fragment
/// received for each index, and the waiting fragments must keep to the limits.
pub fn reassembly(input: &[u8]) {
    let mut joined = Reassembler::default();
    let mut came: BTreeMap<(u8, u8), BTreeMap<u8, Bytes>> = BTreeMap::new();
    let mut now = Instant::now();
    for (number, step) in input.chunks_exact(STEP_BYTES).enumerate() {
        let [message, sum, seq, length, wait] = [step[0], step[1], step[2], step[3], step[4]];
        now += Duration::from_millis(u64::from(wait) * 40);
        for expired in joined.expire(now) {
            came.retain(|(message, _), _| id(*message) != expired);
        }
        let part = fragment(length, number);
        let message_id = id(message);
        let place = FragmentPlace { message_id: &message_id, sum: sum.into(), seq: seq.into() };
        let added = joined.add(place, &part, now);
        let (pending, held) = joined.held();
        assert!(pending <= MOST_PENDING && held <= MOST_PENDING_BYTES, "{pending}, {held}");
        assert_eq!(joined.any_incomplete(), pending > 0);
        if sum <= 1 {
            let whole = added.ok().flatten().expect("a message of one fragment is whole");
            assert_eq!(whole.payload, part);
            continue;
        }
        match added {
            Ok(Some(whole)) => {
                let mut parts = came.remove(&(message, sum)).unwrap_or_default();
                parts.entry(seq).or_insert(part);
                assert_eq!(parts.len(), usize::from(sum), "a fragment is missing");
                assert_eq!(whole.payload, parts.into_values().collect::<Vec<_>>().concat());
                assert!(whole.received <= now);
            }
            Ok(None) => {
                came.entry((message, sum)).or_default().entry(seq).or_insert(part);
            }
            Err(_) => came.retain(|(other, _), _| *other != message || pending > 0),
        }
    }
}

fn id(message: u8) -> String {
    // One id is too long, and one is empty.
    match message {
        0 => String::new(),
        0xff => "m".repeat(300),
        other => format!("m-{other}"),
    }
}

fn fragment(length: u8, number: usize) -> Bytes {
    static MEBIBYTE: LazyLock<Bytes> = LazyLock::new(|| vec![0; 1 << 20].into());
    if length == LARGE {
        return MEBIBYTE.clone();
    }
    vec![number as u8; length.into()].into()
}
