//! The code of each file, had once for all plugins that are made of it: from those that run it already, from the disk, or
//! from the compiler.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;
use std::time::Instant;

use aviary_state::Mutex;
use bytes::Bytes;
use sha2::Digest as _;
use tokio::sync::OnceCell;

use crate::plugin::code_cache::Distrust;
use crate::plugin::compile::CompileError;
use crate::plugin::compile::link;
use crate::plugin::compilers::LongTurn;
use crate::plugin::engine::GuestEngine;
use crate::plugin::form::begins_as_wasm;
use crate::plugin::linked::Linked;
use crate::plugin::machine::Machine;
use crate::telemetry::metrics;

/// A file and its digest, which is what tells one from another.
#[derive(Clone, Debug)]
pub(super) struct Wasm {
    bytes: Bytes,
    digest: Digest,
    /// How long it took to tell.
    took: Duration,
}

/// A BLAKE3. What compiled code is found by has to be as hard to imitate as a SHA-256, and is had in a quarter of the time.
pub(super) type Digest = [u8; 32];

impl Wasm {
    /// Takes as long as reading all of it takes: not for an I/O thread.
    pub(super) fn new(bytes: Bytes) -> Self {
        let began = Instant::now();
        let digest = blake3::hash(&bytes).into();
        Self { bytes, digest, took: began.elapsed() }
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The first 12 digits of its SHA-256: what people compare with `sha256sum`. It takes longer than having the code
    /// from the disk does, so that is done meanwhile.
    pub(super) async fn version(&self) -> std::io::Result<String> {
        let bytes = self.bytes.clone();
        let sha256 = tokio::task::spawn_blocking(move || sha2::Sha256::digest(&bytes)).await;
        Ok(hex::encode(&sha256.map_err(std::io::Error::other)?[..6]))
    }
}

/// Where code was had from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSource {
    /// The compiler.
    Compiled,
    /// The disk.
    Cached,
    /// Another plugin is made of the same file, for example in the folder of another app.
    Shared,
}

impl CodeSource {
    /// As it stands in the log and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "compiled",
            Self::Cached => "cached",
            Self::Shared => "shared",
        }
    }
}

/// Code, linked. It is shared for as long as somebody has it.
pub(super) struct Code {
    /// What makes others find it.
    pub(super) shared: Arc<Shared>,
    pub(super) linked: Linked,
    pub(super) machine: Arc<Machine>,
    pub(super) source: CodeSource,
    /// From the contents of the file to linked code.
    pub(super) took: Duration,
}

/// The code of one file, and the machine that it is linked for.
pub(super) type Shared = OnceCell<(Linked, Arc<Machine>)>;

/// All code that somebody has, by the digest of its file.
#[derive(Default)]
pub(super) struct CodeInUse(Mutex<HashMap<Digest, Weak<Shared>>>);

impl CodeInUse {
    fn of(&self, wasm: &Wasm) -> Arc<Shared> {
        let mut all = self.0.lock();
        if let Some(shared) = all.get(&wasm.digest).and_then(Weak::upgrade) {
            return shared;
        }
        all.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::default();
        all.insert(wasm.digest, Arc::downgrade(&shared));
        shared
    }
}

/// The code of a file. Whoever asks for the same while it is being compiled waits for that. A compilation that is known to take
/// long has its turn already.
pub(super) async fn code(
    engine: &Arc<GuestEngine>,
    wasm: Wasm,
    turn: Option<LongTurn>,
) -> Result<Code, CompileError> {
    let (began, told) = (Instant::now(), wasm.took);
    let shared = engine.in_use.of(&wasm);
    let mut source = CodeSource::Shared;
    let (linked, machine) = shared
        .get_or_try_init(async || {
            let machine = engine.machine();
            let (linked, from) = load_or_compile(engine, &machine, wasm, turn).await?;
            source = from;
            Ok::<_, CompileError>((linked, machine))
        })
        .await?
        .clone();
    let took = told + began.elapsed();
    metrics::record_code_load(source.as_str(), took);
    Ok(Code { shared, linked, machine, source, took })
}

async fn load_or_compile(
    engine: &Arc<GuestEngine>,
    machine: &Arc<Machine>,
    wasm: Wasm,
    turn: Option<LongTurn>,
) -> Result<(Linked, CodeSource), CompileError> {
    let key = engine.cache.key(&wasm.digest);
    let (loader, target) = (Arc::clone(engine), Arc::clone(machine));
    let loading = tokio::task::spawn_blocking(move || loader.cache.load(&target.engine, &key));
    if let Some(cached) = loading.await.ok().flatten() {
        return Ok((link(machine, &cached)?, CodeSource::Cached));
    }
    begins_as_wasm(&wasm.bytes).map_err(|error| CompileError::Refused(error.to_string()))?;
    let sealed = engine.compilers.compile(wasm.bytes, key, turn).await?;
    let (loader, target) = (Arc::clone(engine), Arc::clone(machine));
    let linking = tokio::task::spawn_blocking(move || {
        let received = loader.cache.received(&target.engine, &key, &sealed);
        let received = received.map_err(|distrust| match distrust {
            // Whole and of the same version, so the instances that it would have are larger than a place in the pool.
            Distrust::NotTaken(reason) => {
                CompileError::Refused(format!("does not compile: {reason}"))
            }
            distrust => CompileError::NoCompiler(format!("its code arrived changed: {distrust}")),
        });
        link(&target, &received?)
    });
    let panicked = |error: tokio::task::JoinError| CompileError::NoCompiler(error.to_string());
    Ok((linking.await.map_err(panicked)??, CodeSource::Compiled))
}
