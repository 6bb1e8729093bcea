//! What compiled code depends on, as one name: the file it was made of, the settings of the engine, and the host.

use std::hash::Hash as _;
use std::time::UNIX_EPOCH;

use wasmtime::Engine;

use crate::runtime::code::wasm::WasmDigest;

/// The name of one entry.
pub(in crate::runtime) type Key = [u8; 32];

/// Names everything that one host compiles.
#[derive(Debug)]
pub(super) struct Keys {
    host: [u8; 32],
}

impl Keys {
    pub(super) fn new(engine: &Engine) -> Self {
        let mut settings = Settings(blake3::Hasher::new());
        // wasmtime's version, the target and its features, and every setting that shows in the code.
        engine.precompile_compatibility_hash().hash(&mut settings);
        env!("CARGO_PKG_VERSION").hash(&mut settings);
        build().hash(&mut settings);
        Self { host: settings.0.finalize().into() }
    }

    /// For the file with this digest.
    pub(super) fn component(&self, wasm: &WasmDigest) -> Key {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.host).update(wasm);
        hasher.finalize().into()
    }
}

/// Tells builds of one version apart, as well as that is possible without reading the whole program: what is made of a file
/// before it is compiled may change from one to the next. Two hosts that run the same program share what they compile.
fn build() -> Option<(u64, u128)> {
    let program = std::env::current_exe().and_then(std::fs::metadata).ok()?;
    let modified = program.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((program.len(), modified.as_nanos()))
}

/// Takes in whatever can be hashed. What `std` makes of a value is the same in every process of one build.
struct Settings(blake3::Hasher);

impl std::hash::Hasher for Settings {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
