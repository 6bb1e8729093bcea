//! Loads the code of each file once for all plugins with that file: from plugins that run it already, from the code cache, or
//! from the compiler.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Instant;

use aviary_state::Mutex;

use crate::runtime::code::Code;
use crate::runtime::code::CodeSource;
use crate::runtime::code::SharedCode;
use crate::runtime::code::compile_error::CompileError;
use crate::runtime::code::file_kind::begins_as_wasm;
use crate::runtime::code::link::link;
use crate::runtime::code::linked::Linked;
use crate::runtime::code::wasm::Wasm;
use crate::runtime::code::wasm::WasmDigest;
use crate::runtime::code_cache::CodeCache;
use crate::runtime::code_cache::Distrust;
use crate::runtime::code_cache::OpenCache;
use crate::runtime::compiler_pool::CompilerPool;
use crate::runtime::compiler_pool::LongTurn;
use crate::runtime::machine::linkers::Linkers;
use crate::runtime::machine::machines::Machines;
use crate::telemetry::metrics;

/// All code that a plugin holds, by the digest of its file.
#[derive(Default)]
pub(in crate::runtime) struct CodeInUse(Mutex<HashMap<WasmDigest, Weak<SharedCode>>>);

impl CodeInUse {
    fn of(&self, wasm: &Wasm) -> Arc<SharedCode> {
        let mut all = self.0.lock();
        if let Some(shared) = all.get(wasm.digest()).and_then(Weak::upgrade) {
            return shared;
        }
        all.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::default();
        all.insert(*wasm.digest(), Arc::downgrade(&shared));
        shared
    }
}

/// Loads the code of files, for all plugins of a process.
pub struct CodeLoader {
    machines: Arc<Machines>,
    cache: CodeCache,
    in_use: CodeInUse,
    compilers: CompilerPool,
}

impl CodeLoader {
    /// Makes a loader that links code for the current machine.
    pub(in crate::runtime) fn new(
        machines: Arc<Machines>,
        cache: OpenCache,
        compilers: CompilerPool,
    ) -> Self {
        let cache = cache.with(&machines.current().machine.engine);
        Self { machines, cache, in_use: CodeInUse::default(), compilers }
    }

    pub(in crate::runtime) fn machines(&self) -> &Arc<Machines> {
        &self.machines
    }

    /// Waits for the turn of a compilation that is known to take long. The caller should hold nothing that others need.
    pub async fn long_turn(&self) -> LongTurn {
        self.compilers.long_turn().await
    }

    /// Waits until all compiled code is on disk.
    pub(in crate::runtime) async fn finish(&self) {
        self.compilers.finish().await;
    }

    /// Loads the code of a file. Concurrent calls for the same file wait for one compilation. `turn` is given if the
    /// compilation is known to take long.
    pub async fn load(
        self: &Arc<Self>,
        wasm: Wasm,
        turn: Option<LongTurn>,
    ) -> Result<Code, CompileError> {
        let (began, hashing) = (Instant::now(), wasm.hash_time());
        let shared = self.in_use.of(&wasm);
        let mut source = CodeSource::Shared;
        let (linked, machine) = shared
            .get_or_try_init(async || {
                let linkers = self.machines.current();
                let (linked, from) = self.load_or_compile(&linkers, wasm, turn).await?;
                source = from;
                Ok::<_, CompileError>((linked, Arc::clone(&linkers.machine)))
            })
            .await?
            .clone();
        let took = hashing + began.elapsed();
        metrics::record_code_load(source.as_str(), took);
        Ok(Code { shared, linked, machine, source, took })
    }

    async fn load_or_compile(
        self: &Arc<Self>,
        linkers: &Arc<Linkers>,
        wasm: Wasm,
        turn: Option<LongTurn>,
    ) -> Result<(Linked, CodeSource), CompileError> {
        let key = self.cache.key(wasm.digest());
        let (loader, target) = (Arc::clone(self), Arc::clone(&linkers.machine));
        let loading = tokio::task::spawn_blocking(move || loader.cache.load(&target.engine, &key));
        if let Some(cached) = loading.await.ok().flatten() {
            return Ok((link(linkers, &cached)?, CodeSource::Cached));
        }
        begins_as_wasm(wasm.bytes()).map_err(|error| CompileError::Refused(error.to_string()))?;
        let sealed = self.compilers.compile(wasm.into_bytes(), key, turn).await?;
        let (loader, target) = (Arc::clone(self), Arc::clone(linkers));
        let linking = tokio::task::spawn_blocking(move || {
            let received = loader.cache.received(&target.machine.engine, &key, &sealed);
            let received = received.map_err(|distrust| match distrust {
                // The code is complete and of this version, so its instances must be too large for a place in the pool.
                Distrust::NotTaken(reason) => {
                    CompileError::Refused(format!("does not compile: {reason}"))
                }
                distrust => {
                    CompileError::NoCompiler(format!("its code arrived changed: {distrust}"))
                }
            });
            link(&target, &received?)
        });
        let panicked = |error: tokio::task::JoinError| CompileError::NoCompiler(error.to_string());
        Ok((linking.await.map_err(panicked)??, CodeSource::Compiled))
    }
}
