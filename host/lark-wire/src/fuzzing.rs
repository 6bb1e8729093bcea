//! The fuzz target of the frame codec: a function that takes any bytes and panics where a property does not hold. Only tests
//! and the feature `fuzzing` build this module.

use bytes::Bytes;

use crate::frame::Frame;

/// Maximum number of headers in a frame: each costs many times its bytes in memory.
const MOST_HEADERS: usize = 256;

/// Asserts that a frame survives decoding and encoding unchanged, and that it never has too many headers.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_committed_input_keeps_the_properties() {
        let (name, target): (&str, fn(&[u8])) = ("frame", frame);
        let corpus = format!("{}/../../tests/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut inputs = 0;
        for entry in std::fs::read_dir(&corpus).unwrap() {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{corpus} is empty");
    }
}
