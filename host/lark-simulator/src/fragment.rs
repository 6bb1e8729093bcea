//! Data frames as the platform addresses them, whole or in fragments. Also for tests that need frames no platform
//! would send: nothing here checks that `sum` and `seq` make sense.

use bytes::Bytes;
use lark_wire::frame::Frame;
use lark_wire::frame::Header;
use lark_wire::frame::METHOD_DATA;

use crate::identifier;

/// One official client reads 64-bit ids as floating point, which is exact below this.
const MAX_ID: u64 = 1 << 53;

/// The values that all fragments of one message share. They may be changed at will.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The field `Frame.service` of every frame.
    pub service: i32,
    /// `SeqID` of the first frame; each further one counts up.
    pub seq_id: u64,
    /// `LogID` of every frame.
    pub log_id: u64,
    /// The `type` header of every frame.
    pub kind: String,
    /// The `message_id` header, on which fragments are joined and replies are matched.
    pub message_id: String,
    /// The `trace_id` header of every frame.
    pub trace_id: String,
    /// The `instance_id` header: the machine of the platform that the reply has to go back to.
    pub instance_id: String,
    /// The `timestamp` header, milliseconds.
    pub timestamp: String,
}

impl Envelope {
    /// Creates an envelope with fresh identifiers and type `event`.
    pub fn new(service: i32) -> Self {
        Self {
            service,
            // Half of the range leaves room to count up.
            seq_id: fastrand::u64(1..MAX_ID / 2),
            log_id: fastrand::u64(1..MAX_ID),
            kind: "event".into(),
            message_id: identifier::frame_message_id(),
            trace_id: identifier::hex(34).to_uppercase(),
            instance_id: format!("instance-{}", identifier::hex(8)),
            timestamp: identifier::unix_millis().to_string(),
        }
    }

    /// Returns the frame with this number, its headers in the order that was captured.
    pub fn frame(&self, sum: usize, seq: usize, payload: Bytes) -> Frame {
        let (sum, number) = (sum.to_string(), seq.to_string());
        let headers = [
            ("timestamp", &self.timestamp),
            ("message_id", &self.message_id),
            ("sum", &sum),
            ("seq", &number),
            ("trace_id", &self.trace_id),
            ("type", &self.kind),
            ("instance_id", &self.instance_id),
        ];
        Frame {
            seq_id: self.seq_id.wrapping_add(seq as u64),
            log_id: self.log_id,
            service: self.service,
            method: METHOD_DATA,
            headers: headers
                .map(|(key, value)| Header { key: key.into(), value: value.clone() })
                .to_vec(),
            payload_encoding: Some(String::new()),
            payload_type: Some(String::new()),
            payload: Some(payload),
            log_id_new: Some(format!("02{}{}", self.timestamp, "0".repeat(19))),
        }
    }

    /// Returns all frames of a message in `parts` fragments, in order.
    pub fn frames(&self, payload: &Bytes, parts: usize) -> Vec<Frame> {
        let fragments = split(payload, parts);
        let sum = fragments.len();
        fragments
            .into_iter()
            .enumerate()
            .map(|(seq, fragment)| self.frame(sum, seq, fragment))
            .collect()
    }
}

/// Cuts a payload at random places, inside characters too. No fragment is empty, because one official client never completes a
/// message that has an empty one; a payload shorter than `parts` therefore gives fewer.
pub fn split(payload: &Bytes, parts: usize) -> Vec<Bytes> {
    let cuts = parts.clamp(1, payload.len().max(1)) - 1;
    let mut places = fastrand::choose_multiple(1..payload.len(), cuts);
    places.sort_unstable();
    places.push(payload.len());
    let mut start = 0;
    places.into_iter().map(|end| payload.slice(std::mem::replace(&mut start, end)..end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_join_to_the_payload_and_none_is_empty() {
        let payload = Bytes::from("按钮被点击了".repeat(40));
        for parts in [0, 1, 2, 7, 100, 100_000] {
            let fragments = split(&payload, parts);
            assert_eq!(fragments.len(), parts.clamp(1, payload.len()));
            assert!(fragments.iter().all(|fragment| !fragment.is_empty()));
            assert_eq!(fragments.concat(), payload);
        }
        assert_eq!(split(&Bytes::new(), 3), [Bytes::new()]);
    }

    #[test]
    fn cuts_fall_inside_characters() {
        let payload = Bytes::from("按".repeat(50));
        let fragments = split(&payload, payload.len());
        assert!(fragments.iter().any(|fragment| std::str::from_utf8(fragment).is_err()));
    }

    #[test]
    fn frames_carry_the_captured_header_order_and_exact_ids() {
        let envelope = Envelope::new(33_554_678);
        let frames = envelope.frames(&Bytes::from_static(b"{\"a\":1}"), 3);
        assert_eq!(frames.len(), 3);
        for (seq, frame) in frames.iter().enumerate() {
            let keys: Vec<_> = frame.headers.iter().map(|header| header.key.as_str()).collect();
            let captured =
                ["timestamp", "message_id", "sum", "seq", "trace_id", "type", "instance_id"];
            assert_eq!(keys, captured);
            assert_eq!(frame.header("sum"), Some("3"));
            assert_eq!(frame.header("seq"), Some(seq.to_string().as_str()));
            assert!(frame.seq_id < MAX_ID && frame.log_id < MAX_ID);
            assert_eq!(&Frame::parse(frame.to_bytes()).unwrap(), frame);
        }
    }
}
