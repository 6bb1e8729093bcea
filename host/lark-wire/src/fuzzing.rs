//! The frame codec.

use bytes::Bytes;

use crate::ingress::long_connection::frame::Frame;

/// Headers that a frame may have. Each costs many times its bytes.
const MOST_HEADERS: usize = 256;

/// A frame that can be read is written and read again without a change, and never has too many headers.
pub fn frame(bytes: &[u8]) {
    let Ok(frame) = Frame::parse(Bytes::copy_from_slice(bytes)) else { return };
    assert!(frame.headers.len() <= MOST_HEADERS, "{} headers", frame.headers.len());
    let written = frame.to_bytes();
    let again = Frame::parse(written.clone()).expect("a frame that was written can be read");
    assert_eq!(again, frame, "reading the written frame gives another frame");
    assert_eq!(again.to_bytes(), written, "writing the frame again gives other bytes");
    for header in &frame.headers {
        assert!(frame.header(&header.key).is_some(), "a header cannot be found by its name");
    }
}
