//! The host's side of compiling: it starts processes of this same program that compile one file each (`runtime/compiler`),
//! limits their number, and interprets how they end.
//!
//! A compilation that takes a moment must not wait for one that takes minutes. They cannot be told apart beforehand, so each
//! begins in a place for short ones. One that has used the processor time of a short one moves to the place for long ones and
//! continues, if that place is free; if not, it ends, and begins again when its turn comes.

mod starter;

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use bytes::Bytes;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::runtime::code::compile_error::CompileError;
use crate::runtime::code::compile_error::TooCostly;
use crate::runtime::code_cache::Key;
use crate::runtime::compiler::CompileOrder;
use crate::runtime::compiler::CompilerAnswer;
use crate::runtime::compiler::program;
use crate::runtime::compiler_pool::starter::Starter;
use crate::runtime::config::GuestsConfig;
use crate::telemetry::events::CACHED_FUNCTIONS_REFUSED;
use crate::telemetry::events::CODE_KEPT;
use crate::telemetry::metrics;

/// Short compilations at once. They share the processors, so a short one ends soon, whatever the others do. Together with the
/// long one, there are as many as plugins are loaded at once. Each may take `guests.compile_memory_bytes`.
const SHORT_AT_ONCE: usize = 3;
/// The largest code that is accepted, in bytes. That of Python, the largest runtime, has 40 MB. It is in memory twice for a
/// moment.
const MAX_CODE_BYTES: u64 = 256 << 20;
/// On a busy machine a compiler gets a quarter of a core, and it ends itself when its processor time is used up. One that has
/// not ended after this many times its processor time hangs.
const WALL_CLOCK_FACTOR: u32 = 10;
/// Time for writing the code to the disk after it was sent.
const KEEPING: Duration = Duration::from_secs(60);
/// Files that exceeded a limit and are remembered.
const MAX_REMEMBERED: usize = 1024;

/// Why no plugin can be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompilersError {
    /// The program's `main` does not call `run_as_compiler`, so starting it again would not compile anything.
    #[error(
        "this program cannot compile plugins: it has to call aviary::run_as_compiler() first thing in main, because a host compiles in child processes, for which it starts its own program again"
    )]
    NoProgram,
    /// The thread or the program for starting compilers is not available.
    #[error("cannot prepare to start compilers: {0}")]
    Starter(#[from] io::Error),
}

/// Starts compilers, and limits how many run at once.
pub(super) struct CompilerPool {
    starter: Starter,
    threads: usize,
    memory_bytes: u64,
    processor_secs: u64,
    cache: Option<(PathBuf, u64)>,
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
    too_costly: Mutex<Bounded<Key, TooCostly>>,
    keeping: TaskTracker,
}

/// The place for a long compilation.
pub struct LongTurn(OwnedSemaphorePermit);

impl CompilerPool {
    /// Prepares the pool, without starting a compiler.
    pub(super) fn start(
        guests: GuestsConfig,
        cache: Option<(PathBuf, u64)>,
    ) -> Result<Self, CompilersError> {
        let program = program().ok_or(CompilersError::NoProgram)?;
        Ok(Self {
            starter: Starter::new(program)?,
            threads: guests.compile_threads,
            memory_bytes: guests.compile_memory_bytes,
            processor_secs: guests.compile_secs,
            cache,
            short: Arc::new(Semaphore::new(SHORT_AT_ONCE)),
            long: Arc::new(Semaphore::new(1)),
            too_costly: Mutex::new(Bounded::new(MAX_REMEMBERED)),
            keeping: TaskTracker::new(),
        })
    }

    /// Waits for the turn of a compilation that is known to take long. The caller should hold nothing that others need.
    pub(super) async fn long_turn(&self) -> LongTurn {
        LongTurn(acquired(&self.long).await)
    }

    /// Compiles a file, and returns the code with its seal. Without a turn, a long compilation fails with
    /// [`CompileError::TakesLong`] while another one runs. Dropping the future ends the compiler.
    pub(super) async fn compile(
        &self,
        wasm: Bytes,
        key: Key,
        turn: Option<LongTurn>,
    ) -> Result<Vec<u8>, CompileError> {
        if let Some(too_costly) = self.remembered(&key) {
            return Err(too_costly.into());
        }
        let place = match turn {
            Some(LongTurn(permit)) => CompilerPlace { is_long: true, _permit: permit },
            None => CompilerPlace { is_long: false, _permit: acquired(&self.short).await },
        };
        let no_compiler = |error: io::Error| CompileError::NoCompiler(error.to_string());
        let compiler = Compiler::start(&self.starter, place).await.map_err(no_compiler)?;
        let order = CompileOrder {
            wasm_bytes: wasm.len() as u64,
            key,
            threads: self.threads,
            memory_bytes: self.memory_bytes,
            processor_secs: self.processor_secs,
            cache: self.cache.clone(),
        };
        let head = order.head().map_err(no_compiler)?;
        let at_most = Duration::from_secs(self.processor_secs) * WALL_CLOCK_FACTOR;
        let answered = timeout(at_most, compiler.ask(&head, wasm, &self.long)).await;
        match answered.unwrap_or(Err(CompileFailure::Hangs)) {
            Ok((code, compiler)) => {
                self.keeping.spawn(compiler.finish(key));
                Ok(code)
            }
            Err(failure) => Err(self.explain(failure, key)),
        }
    }

    /// Waits until all compiled code is on disk.
    pub(super) async fn finish(&self) {
        self.keeping.close();
        self.keeping.wait().await;
        self.keeping.reopen();
    }

    fn explain(&self, failure: CompileFailure, key: Key) -> CompileError {
        let too_costly = match failure {
            CompileFailure::Refused(reason) => return CompileError::Refused(reason),
            CompileFailure::TakesLong => return CompileError::TakesLong,
            CompileFailure::Pipe(error) => return CompileError::NoCompiler(error.to_string()),
            CompileFailure::Failed(reason) => return CompileError::NoCompiler(reason),
            CompileFailure::CodeTooLarge => TooCostly::Code(MAX_CODE_BYTES),
            CompileFailure::Hangs => TooCostly::Time(self.processor_secs),
            CompileFailure::Ended(status) => match status.signal().and_then(Signal::from_named_raw)
            {
                Some(Signal::XCPU) => TooCostly::Time(self.processor_secs),
                // Rust ends a program with these signals when it runs out of memory or stack.
                Some(Signal::ABORT | Signal::SEGV) => TooCostly::Memory(self.memory_bytes),
                Some(Signal::KILL) => {
                    return CompileError::NoCompiler(
                        "the system killed the compiler, most likely because the machine has no memory left; lower guests.compile_memory_bytes, or try again with the same file later".to_owned(),
                    );
                }
                _ => return CompileError::NoCompiler(format!("the compiler ended, {status}")),
            },
        };
        self.remember(key, too_costly);
        too_costly.into()
    }

    fn remembered(&self, key: &Key) -> Option<TooCostly> {
        self.too_costly.lock().get(key).copied()
    }

    /// Remembers the limit that a file exceeded: it would exceed it again the next time, for example after a change of its
    /// sidecar file.
    fn remember(&self, key: Key, too_costly: TooCostly) {
        self.too_costly.lock().insert(key, too_costly);
    }
}

async fn acquired(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    // The semaphores are never closed.
    Arc::clone(places)
        .acquire_owned()
        .await
        .unwrap_or_else(|closed| unreachable!("places for compilers: {closed}"))
}

/// A compiler's place. It is free again when the compiler is dropped.
struct CompilerPlace {
    is_long: bool,
    _permit: OwnedSemaphorePermit,
}

/// Why a compiler sent no code.
#[derive(Debug)]
enum CompileFailure {
    Refused(String),
    TakesLong,
    CodeTooLarge,
    Hangs,
    Ended(ExitStatus),
    Failed(String),
    Pipe(io::Error),
}

/// A process that compiles one file.
struct Compiler {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    place: CompilerPlace,
}

impl Compiler {
    async fn start(starter: &Starter, place: CompilerPlace) -> io::Result<Self> {
        let mut child = starter.start().await?;
        let no_pipe = || io::Error::other("a compiler without pipes");
        let input = child.stdin.take().ok_or_else(no_pipe)?;
        let output = child.stdout.take().ok_or_else(no_pipe)?;
        Ok(Self { child, input, output, place })
    }

    /// Sends the order. Returns the code, and the compiler, which is about to write the code to the cache.
    async fn ask(
        mut self,
        head: &[u8],
        wasm: Bytes,
        long: &Arc<Semaphore>,
    ) -> Result<(Vec<u8>, Self), CompileFailure> {
        let Self { input, output, place, .. } = &mut self;
        let ordering = async {
            input.write_all(head).await?;
            input.write_all(&wasm).await
        };
        // If a compiler ends before it has read everything, its exit status says more than this error.
        let (_, answer) = tokio::join!(ordering, answer(output, place, long));
        match answer {
            Err(CompileFailure::Pipe(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                drop(self.output);
                Err(self
                    .child
                    .wait()
                    .await
                    .map_or_else(CompileFailure::Pipe, CompileFailure::Ended))
            }
            answer => answer.map(|code| (code, self)),
        }
    }

    /// Waits until the code is on disk. The place is free only then, so that the next compilation finds the functions of this
    /// one.
    async fn finish(mut self, key: Key) {
        let kept = timeout(KEEPING, self.kept()).await;
        match kept {
            Ok(Ok(Some(CompilerAnswer::Kept))) => {
                tracing::debug!(key = hex::encode(key), "{CODE_KEPT}");
            }
            Ok(Ok(Some(CompilerAnswer::NotKept(error) | CompilerAnswer::Failed(error)))) => {
                tracing::warn!(error, "code cache: code not kept");
            }
            _ => tracing::warn!("compiled code is not kept: the compiler did not finish"),
        }
        // A compiler that does not end is killed when it is dropped.
        let _ = timeout(KEEPING, self.child.wait()).await;
    }

    /// Logs the packs that were refused, and returns the answer that follows.
    async fn kept(&mut self) -> io::Result<Option<CompilerAnswer>> {
        loop {
            let answer = CompilerAnswer::read(&mut self.output, 0).await?;
            let Some(CompilerAnswer::PackRefused(reason)) = answer else { return Ok(answer) };
            tracing::warn!(reason, "{CACHED_FUNCTIONS_REFUSED}");
            metrics::record_code_cache_refusal("functions");
        }
    }
}

/// Reads answers until one decides whether there is code. `place` becomes the one for long compilations if the compiler says
/// that it takes long.
async fn answer(
    output: &mut ChildStdout,
    place: &mut CompilerPlace,
    long: &Arc<Semaphore>,
) -> Result<Vec<u8>, CompileFailure> {
    loop {
        let answer = CompilerAnswer::read(output, MAX_CODE_BYTES).await.map_err(|error| {
            let too_large = error.kind() == io::ErrorKind::FileTooLarge;
            if too_large { CompileFailure::CodeTooLarge } else { CompileFailure::Pipe(error) }
        })?;
        match answer {
            Some(CompilerAnswer::Code(code)) => return Ok(code),
            Some(CompilerAnswer::Refused(reason)) => return Err(CompileFailure::Refused(reason)),
            Some(CompilerAnswer::Failed(reason)) => return Err(CompileFailure::Failed(reason)),
            Some(CompilerAnswer::TakesLong) => {
                if !place.is_long {
                    let permit = Arc::clone(long).try_acquire_owned();
                    let _permit = permit.map_err(|_taken| CompileFailure::TakesLong)?;
                    *place = CompilerPlace { is_long: true, _permit };
                }
            }
            Some(
                CompilerAnswer::PackRefused(_) | CompilerAnswer::Kept | CompilerAnswer::NotKept(_),
            )
            | None => {
                return Err(CompileFailure::Pipe(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}
