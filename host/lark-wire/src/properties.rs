//! Properties that hold whatever a stranger sends: nothing panics, values survive writing and reading, and nothing grows.

use bytes::Bytes;
use proptest::prelude::*;

use crate::cipher::Cipher;
use crate::frame::Frame;
use crate::frame::Header;
use crate::secret::Secret;

fn header() -> impl Strategy<Value = Header> {
    (".{0,12}", ".{0,40}").prop_map(|(key, value)| Header { key, value })
}

fn frame() -> impl Strategy<Value = Frame> {
    let numbers = (any::<u64>(), any::<u64>(), any::<i32>(), any::<i32>());
    let texts = (
        proptest::option::of(".{0,8}"),
        proptest::option::of(".{0,8}"),
        proptest::option::of(".{0,8}"),
    );
    let payload = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let headers = proptest::collection::vec(header(), 0..12);
    (numbers, headers, texts, payload).prop_map(|(numbers, headers, texts, payload)| Frame {
        seq_id: numbers.0,
        log_id: numbers.1,
        service: numbers.2,
        method: numbers.3,
        headers,
        payload_encoding: texts.0,
        payload_type: texts.1,
        payload: payload.map(Bytes::from),
        log_id_new: texts.2,
    })
}

proptest! {
    // The smallest failing input is in the failure's own words; nothing is written beside the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encrypted_is_decrypted_and_never_grows(
        plain in proptest::collection::vec(any::<u8>(), 0..300),
        iv in any::<[u8; 16]>(),
    ) {
        let cipher = Cipher::new(&Secret::new("key"));
        prop_assert_eq!(cipher.decrypt(&cipher.encrypt(&plain, iv)).unwrap(), plain);
    }

    #[test]
    fn any_text_is_decrypted_or_an_error(text in "[A-Za-z0-9+/=]{0,400}|.{0,60}") {
        if let Ok(plain) = Cipher::new(&Secret::new("key")).decrypt(&text) {
            prop_assert!(plain.len() < text.len());
        }
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(frame) = Frame::parse(bytes.into()) {
            prop_assert_eq!(Frame::parse(frame.to_bytes()).ok(), Some(frame));
        }
    }

    #[test]
    fn a_frame_survives_the_wire(frame in frame()) {
        prop_assert_eq!(Frame::parse(frame.to_bytes()).ok(), Some(frame));
    }

    #[test]
    fn a_damaged_frame_is_an_error_or_a_frame(frame in frame(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = frame.to_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // A frame is not signed, so that a damaged one may well parse as another frame; parsing must not panic.
        drop(Frame::parse(bytes.into()));
        let bytes = frame.to_bytes();
        drop(Frame::parse(bytes.slice(..at)));
    }

    #[test]
    fn more_headers_than_anybody_sends_are_refused(count in 257..5000_usize) {
        let header = Header { key: String::new(), value: String::new() };
        let frame = Frame { headers: vec![header; count], ..Frame::default() };
        prop_assert!(Frame::parse(frame.to_bytes()).is_err());
    }
}
