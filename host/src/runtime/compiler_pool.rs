//! The host's side of compiling: processes of this same program that compile one file each (`runtime/compiler`), how many of them
//! there are at once, and what is made of how one ends.
//!
//! A compilation that takes a moment must not wait for one that takes minutes. Nobody can tell them apart beforehand, so each
//! begins in a place for short ones. One that has used the processor time of a short one moves to the place for long ones
//! and goes on, if that place is free; if not, it ends, and begins again when its turn comes.

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
use crate::runtime::compiler::Answer;
use crate::runtime::compiler::Order;
use crate::runtime::compiler::program;
use crate::runtime::compiler_pool::starter::Starter;
use crate::runtime::config::GuestsConfig;
use crate::telemetry::events::CACHED_FUNCTIONS_REFUSED;
use crate::telemetry::events::CODE_KEPT;
use crate::telemetry::metrics;

/// Short compilations at once. They share the processors, so one that is short is over soon, whatever the others are; with the
/// long one there are as many as plugins are loaded at once. Each may take `guests.compile_memory_bytes`.
const SHORT_AT_ONCE: usize = 3;
/// The largest code that is taken. That of Python, the largest runtime, has 40 MB; it is in memory twice for a moment.
const MAX_CODE_BYTES: u64 = 256 << 20;
/// A compiler gets a quarter of a core where the machine is busy, and ends itself when it has used its processor time. One
/// that does neither hangs.
const WALL_CLOCK_FACTOR: u32 = 10;
/// For writing code to the disk, after it was answered.
const KEEPING: Duration = Duration::from_secs(60);
/// Files that were too costly and are remembered.
const MAX_REMEMBERED: usize = 1024;

/// Why no plugin can be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompilersError {
    /// Started again, this program would do again what it does.
    #[error(
        "this program cannot compile plugins: it has to call aviary::run_as_compiler() first thing in main, because a host compiles in child processes, for which it starts its own program again"
    )]
    NoProgram,
    /// No thread, or no program to start.
    #[error("cannot prepare to start compilers: {0}")]
    Starter(#[from] io::Error),
}

/// Starts compilers, and says which may run when.
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

/// The place for a compilation that takes long.
pub struct LongTurn(OwnedSemaphorePermit);

impl CompilerPool {
    /// Starts no compiler yet.
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

    /// For a compilation that has shown that it takes long. Whoever waits should hold nothing that others need.
    pub(super) async fn long_turn(&self) -> LongTurn {
        LongTurn(acquired(&self.long).await)
    }

    /// The code of a file, with its seal. Without a turn of its own, a compilation that takes long fails with
    /// [`CompileError::TakesLong`] while there is another. Dropping the future ends the compiler.
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
            Some(LongTurn(permit)) => Place { is_long: true, _permit: permit },
            None => Place { is_long: false, _permit: acquired(&self.short).await },
        };
        let no_compiler = |error: io::Error| CompileError::NoCompiler(error.to_string());
        let compiler = Compiler::start(&self.starter, place).await.map_err(no_compiler)?;
        let order = Order {
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
        match answered.unwrap_or(Err(Failure::Hangs)) {
            Ok((code, compiler)) => {
                self.keeping.spawn(compiler.finish(key));
                Ok(code)
            }
            Err(failure) => Err(self.explain(failure, key)),
        }
    }

    /// Until everything that was compiled is on disk.
    pub(super) async fn finish(&self) {
        self.keeping.close();
        self.keeping.wait().await;
        self.keeping.reopen();
    }

    fn explain(&self, failure: Failure, key: Key) -> CompileError {
        let too_costly = match failure {
            Failure::Refused(reason) => return CompileError::Refused(reason),
            Failure::TakesLong => return CompileError::TakesLong,
            Failure::Pipe(error) => return CompileError::NoCompiler(error.to_string()),
            Failure::Failed(reason) => return CompileError::NoCompiler(reason),
            Failure::CodeTooLarge => TooCostly::Code(MAX_CODE_BYTES),
            Failure::Hangs => TooCostly::Time(self.processor_secs),
            Failure::Ended(status) => match status.signal().and_then(Signal::from_named_raw) {
                Some(Signal::XCPU) => TooCostly::Time(self.processor_secs),
                // Rust ends a program so that can have no memory, or no more stack.
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

    /// The same file would take as much the next time it is looked at, for example because its sidecar file has changed.
    fn remember(&self, key: Key, too_costly: TooCostly) {
        self.too_costly.lock().insert(key, too_costly);
    }
}

async fn acquired(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    // Nobody closes them.
    Arc::clone(places)
        .acquire_owned()
        .await
        .unwrap_or_else(|closed| unreachable!("places for compilers: {closed}"))
}

/// Where a compiler is counted. It is given back when the compiler is dropped.
struct Place {
    is_long: bool,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no code.
#[derive(Debug)]
enum Failure {
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
    place: Place,
}

impl Compiler {
    async fn start(starter: &Starter, place: Place) -> io::Result<Self> {
        let mut child = starter.start().await?;
        let no_pipe = || io::Error::other("a compiler without pipes");
        let input = child.stdin.take().ok_or_else(no_pipe)?;
        let output = child.stdout.take().ok_or_else(no_pipe)?;
        Ok(Self { child, input, output, place })
    }

    /// The code, and the compiler that is about to keep it.
    async fn ask(
        mut self,
        head: &[u8],
        wasm: Bytes,
        long: &Arc<Semaphore>,
    ) -> Result<(Vec<u8>, Self), Failure> {
        let Self { input, output, place, .. } = &mut self;
        let ordering = async {
            input.write_all(head).await?;
            input.write_all(&wasm).await
        };
        // A compiler that ends before it has read everything says more by how it ends than this error does.
        let (_, answer) = tokio::join!(ordering, answer(output, place, long));
        match answer {
            Err(Failure::Pipe(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                drop(self.output);
                Err(self.child.wait().await.map_or_else(Failure::Pipe, Failure::Ended))
            }
            answer => answer.map(|code| (code, self)),
        }
    }

    /// Waits until the code is on disk. The place is free only then, so that the next compilation finds the functions of
    /// this one.
    async fn finish(mut self, key: Key) {
        let kept = timeout(KEEPING, self.kept()).await;
        match kept {
            Ok(Ok(Some(Answer::Kept))) => {
                tracing::debug!(key = hex::encode(key), "{CODE_KEPT}");
            }
            Ok(Ok(Some(Answer::NotKept(error) | Answer::Failed(error)))) => {
                tracing::warn!(error, "compiled code is not kept");
            }
            _ => tracing::warn!("compiled code is not kept: the compiler did not finish"),
        }
        // One that does not end is ended when it is dropped.
        let _ = timeout(KEEPING, self.child.wait()).await;
    }

    /// Whether the code was kept, after the packs that were refused.
    async fn kept(&mut self) -> io::Result<Option<Answer>> {
        loop {
            let answer = Answer::read(&mut self.output, 0).await?;
            let Some(Answer::PackRefused(reason)) = answer else { return Ok(answer) };
            tracing::warn!(reason, "{CACHED_FUNCTIONS_REFUSED}");
            metrics::record_code_cache_refusal("functions");
        }
    }
}

/// Reads until there is code or none. `place` becomes the one for long compilations when that is what it is.
async fn answer(
    output: &mut ChildStdout,
    place: &mut Place,
    long: &Arc<Semaphore>,
) -> Result<Vec<u8>, Failure> {
    loop {
        let answer = Answer::read(output, MAX_CODE_BYTES).await.map_err(|error| {
            let too_large = error.kind() == io::ErrorKind::FileTooLarge;
            if too_large { Failure::CodeTooLarge } else { Failure::Pipe(error) }
        })?;
        match answer {
            Some(Answer::Code(code)) => return Ok(code),
            Some(Answer::Refused(reason)) => return Err(Failure::Refused(reason)),
            Some(Answer::Failed(reason)) => return Err(Failure::Failed(reason)),
            Some(Answer::TakesLong) => {
                if !place.is_long {
                    let permit = Arc::clone(long).try_acquire_owned();
                    let _permit = permit.map_err(|_taken| Failure::TakesLong)?;
                    *place = Place { is_long: true, _permit };
                }
            }
            Some(Answer::PackRefused(_) | Answer::Kept | Answer::NotKept(_)) | None => {
                return Err(Failure::Pipe(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}
