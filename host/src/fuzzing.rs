//! One entry for each fuzz target of `tests/fuzz`: a function that takes any bytes and panics where a property does not
//! hold. Only tests and the feature `fuzzing` build this module; the program does not contain it.
//!
//! The functions live beside what they test, where it is private; those of `lark-card` and `lark-wire` are in those crates. The
//! test below gives every function the committed corpus of its target, so that `cargo test` notices when a property stops
//! holding.

mod grant;
mod sidecar;

pub use crate::callback::fuzzing::answers::reply;
pub use crate::callback::fuzzing::bodies::envelope;
pub use crate::callback::fuzzing::bodies::legacy_card;
pub use crate::callback::fuzzing::bodies::verify;
pub use crate::callback::fuzzing::seals::seal;
pub use crate::capability::http::fuzzing::http_target;
pub use crate::config::fuzzing::configuration;
pub use crate::fuzzing::grant::grant;
pub use crate::fuzzing::sidecar::sidecar;
pub use crate::ingress::long_connection::fuzzing::reassembly;
pub use crate::journal::fuzzing::mask;
pub use crate::journal::fuzzing::ring;
pub use crate::plugin::code_cache::fuzzing::code_cache;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A target's name and function.
    type Target = (&'static str, fn(&[u8]));

    /// Every target, by the name of its file in `tests/fuzz/targets` and of its folder in `tests/fuzz/corpus`.
    const TARGETS: [Target; 13] = [
        ("code_cache", code_cache),
        ("configuration", configuration),
        ("envelope", envelope),
        ("grant", grant),
        ("http_target", http_target),
        ("legacy_card", legacy_card),
        ("mask", mask),
        ("reassembly", reassembly),
        ("reply", reply),
        ("ring", ring),
        ("seal", seal),
        ("sidecar", sidecar),
        ("verify", verify),
    ];

    fn fuzz_folder() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz"))
    }

    #[test]
    fn every_committed_input_keeps_the_properties() {
        for (name, target) in TARGETS {
            let corpus = fuzz_folder().join("corpus").join(name);
            let mut inputs = 0;
            for entry in std::fs::read_dir(&corpus).unwrap() {
                let path = entry.unwrap().path();
                let input = std::fs::read(&path).unwrap();
                let kept = std::panic::catch_unwind(|| target(&input));
                assert!(kept.is_ok(), "{name} fails on {}", path.display());
                inputs += 1;
            }
            assert!(inputs > 0, "{} is empty", corpus.display());
        }
    }
}
