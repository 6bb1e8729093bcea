//! The compiler: a child process of the host that runs the same program. It reads one plugin's file from standard input, and
//! writes machine code, or why there is none, to standard output.
//!
//! A file decides how much memory and time its compilation takes, which its size does not reveal. So everything that parses a
//! whole file happens here, within limits that the system enforces, and ends with this process. `runtime/compiler_pool` is the
//! host's side.

mod confine;
mod declared;
mod message;
mod pools;

use std::ffi::OsStr;
use std::io;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use aviary_state::Mutex;
use rustix::process::Pid;
use wasmtime::Engine;

use crate::runtime::code::file_kind::FileKind;
use crate::runtime::code::file_kind::wrapped;
use crate::runtime::code_cache::CacheConfig;
use crate::runtime::code_cache::CachePath;
use crate::runtime::code_cache::OpenCache;
use crate::runtime::code_cache::sealed;
use crate::runtime::compiler::message::clipped;
use crate::runtime::compiler::pools::Pools;
use crate::runtime::machine::code_settings;

pub(super) use crate::runtime::compiler::message::CompileOrder;
pub(super) use crate::runtime::compiler::message::CompilerAnswer;
pub(super) use crate::runtime::compiler::pools::NICENESS;

/// The first argument of a program that is started as a compiler. The second is the host's process id.
pub(super) const ARGUMENT: &str = "--as-aviary-compiler";
/// A compilation that has used more processor time than this counts as long. A plugin in Rust takes a tenth of it, and most
/// edits in other languages take less.
const SHORT: Duration = Duration::from_secs(1);

/// The program that this process starts as a compiler.
static PROGRAM: OnceLock<CompilerProgram> = OnceLock::new();

/// A program whose `main` begins with [`run_as_compiler`].
#[derive(Debug)]
pub(super) enum CompilerProgram {
    /// The program that is running now.
    ThisOne,
    /// Another program, built with the same version of this library.
    Other(PathBuf),
}

/// Compiles one plugin if this process was started for that; the program then ends with the exit code. `None` in every
/// other process.
///
/// A host compiles plugins in child processes, for which it starts its own program again. So a program that embeds a
/// [`Host`](crate::Host) calls this first thing in `main`, before it starts threads or looks at its arguments, and a host in a
/// program that did not call it refuses to start.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     if let Some(code) = aviary::run_as_compiler() {
///         return code;
///     }
///     // The program's own.
///     std::process::ExitCode::SUCCESS
/// }
/// ```
#[must_use = "the program has to end with this exit code"]
pub fn run_as_compiler() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(ARGUMENT)) {
        // An earlier `compile_with` takes precedence.
        let _ = PROGRAM.set(CompilerProgram::ThisOne);
        return None;
    }
    let host = arguments.next().and_then(|id| Pid::from_raw(id.to_str()?.parse().ok()?));
    let Err(error) = serve(host) else { return Some(ExitCode::SUCCESS) };
    // There is no reader if the host is gone.
    let _ = CompilerAnswer::Failed(clipped(error.to_string())).write(&mut io::stdout());
    Some(ExitCode::FAILURE)
}

/// Has plugins compiled by another program, for a process whose `main` is not its own, as that of a test is not. The program
/// calls [`run_as_compiler`] and is built of the same version of this library: `aviary` itself does. What was said first in a
/// process counts.
pub fn compile_with(program: PathBuf) {
    let _ = PROGRAM.set(CompilerProgram::Other(program));
}

/// Returns the program to start. `None` if neither [`run_as_compiler`] nor [`compile_with`] was called.
pub(super) fn program() -> Option<&'static CompilerProgram> {
    PROGRAM.get()
}

fn serve(host: Option<Pid>) -> io::Result<()> {
    confine::take_name();
    confine::end_with(host)?;
    confine::go_first();
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let order = CompileOrder::read(&mut input)?;
    confine::limit(order.memory_bytes, order.processor_secs)?;
    let panicked = keep_panic_message();
    let cache = OpenCache::open(&cache_of(&order));
    let engine = engine(&cache)?;
    // Reading the cache takes some milliseconds. Meanwhile the file arrives and is validated.
    let functions = cache.functions();
    let looking = thread::Builder::new().spawn(move || {
        // No function has this key; the lookup makes the store open its packs.
        let _ = functions.as_ref().and_then(|functions| functions.get(&[]));
    })?;
    let mut bytes = vec![0; usize::try_from(order.wasm_bytes).map_err(io::Error::other)?];
    input.read_exact(&mut bytes)?;

    let bytes = Arc::new(bytes);
    let mut pools = Pools::start(order.threads).map_err(io::Error::other)?;
    let mut is_short = true;
    let mut written = Ok(());
    let compiled = pools.run(
        move || compile(&engine, &bytes),
        |ran| {
            if is_short && ran > SHORT {
                is_short = false;
                written = CompilerAnswer::TakesLong.write(&mut output);
            }
        },
    );
    written?;
    let compiled = compiled.unwrap_or_else(|| Err(panicked.words()));
    let code = match compiled {
        Ok(code) => sealed(&order.key, code),
        Err(reason) => return CompilerAnswer::Refused(clipped(reason)).write(&mut output),
    };
    // The plugin need not wait until the code is on disk.
    let answer = CompilerAnswer::Code(code);
    answer.write(&mut output)?;
    let CompilerAnswer::Code(code) = answer else { return Ok(()) };
    // The packs have to be opened before the refused ones are known and a new one is added.
    let _ = looking.join();
    for refused in cache.take_refused() {
        CompilerAnswer::PackRefused(clipped(refused)).write(&mut output)?;
    }
    match cache.keep(&order.key, &code) {
        Ok(()) => CompilerAnswer::Kept.write(&mut output),
        Err(error) => CompilerAnswer::NotKept(clipped(error.to_string())).write(&mut output),
    }
}

fn cache_of(order: &CompileOrder) -> CacheConfig {
    match &order.cache {
        Some((folder, max_bytes)) => {
            CacheConfig { path: CachePath::Folder(folder.clone()), max_bytes: *max_bytes }
        }
        None => CacheConfig { path: CachePath::Off, ..CacheConfig::default() },
    }
}

/// Makes an engine that generates the same code as the host's. It has no instance pool, which would reserve terabytes of
/// addresses: no code runs here.
fn engine(cache: &OpenCache) -> io::Result<Engine> {
    let mut settings = code_settings();
    if let Some(functions) = cache.functions() {
        settings.enable_incremental_compilation(functions).map_err(io::Error::other)?;
    }
    Engine::new(&settings).map_err(io::Error::other)
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let broken = |error: wasmtime::Error| format!("does not compile: {error:#}");
    declared::check(bytes)?;
    match FileKind::of(bytes).map_err(|error| error.to_string())? {
        FileKind::Component => engine.precompile_component(bytes).map_err(broken),
        FileKind::TypedModule => {
            let component = wrapped(bytes).map_err(|error| error.to_string())?;
            engine.precompile_component(&component).map_err(broken)
        }
        FileKind::CommandModule => engine.precompile_module(bytes).map_err(broken),
    }
}

/// The message of a panic, for the host's log.
#[derive(Clone, Default)]
struct PanicMessage(Arc<Mutex<String>>);

impl PanicMessage {
    fn words(&self) -> String {
        let said = self.0.lock();
        format!("the compiler panicked, which is a fault of the compiler: {said}")
    }
}

fn keep_panic_message() -> PanicMessage {
    let message = PanicMessage::default();
    let last = message.clone();
    std::panic::set_hook(Box::new(move |panic| {
        *last.0.lock() = panic.to_string();
    }));
    message
}
