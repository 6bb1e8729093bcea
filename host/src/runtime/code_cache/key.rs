//! Names for compiled code. A name depends on the file, the engine's settings and the host's build.

use std::hash::Hash as _;
use std::time::UNIX_EPOCH;

use wasmtime::Engine;

use crate::runtime::code::wasm::WasmDigest;

/// The name of one entry of the cache.
pub(in crate::runtime) type Key = [u8; 32];

/// Makes the names for one build and configuration of the host.
#[derive(Debug)]
pub(super) struct Keys {
    host: [u8; 32],
}

impl Keys {
    pub(super) fn new(engine: &Engine) -> Self {
        let mut settings = CompilerSettings(blake3::Hasher::new());
        // Covers wasmtime's version, the target with its features, and every setting that affects the code.
        engine.precompile_compatibility_hash().hash(&mut settings);
        env!("CARGO_PKG_VERSION").hash(&mut settings);
        build().hash(&mut settings);
        Self { host: settings.0.finalize().into() }
    }

    /// Returns the name of the code for the file with this digest.
    pub(super) fn component(&self, wasm: &WasmDigest) -> Key {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.host).update(wasm);
        hasher.finalize().into()
    }
}

/// Distinguishes builds of one version by the program's size and time, without reading all of it: the preparation of a file
/// for the compiler may change from one build to the next. Two hosts that run the same program share their code.
fn build() -> Option<(u64, u128)> {
    let program = std::env::current_exe().and_then(std::fs::metadata).ok()?;
    let modified = program.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((program.len(), modified.as_nanos()))
}

/// Hashes any value. The bytes that `std` feeds to a hasher are the same in every process of one build.
struct CompilerSettings(blake3::Hasher);

impl std::hash::Hasher for CompilerSettings {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
