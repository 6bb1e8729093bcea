//! The thread that starts compilers. A compiler ends with the thread that started it. This thread lasts as long as the engine,
//! while those of the runtime come and go.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;

use tokio::process::Child;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::runtime::compiler::ARGUMENT;
use crate::runtime::compiler::CompilerProgram;
use crate::runtime::compiler::NICENESS;
use crate::runtime::thread_priority::lower_priority;

/// The running program, whichever file has taken its path since it was started.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Requests that wait to be served. There are fewer places for compilers.
const MAX_WAITING: usize = 8;
/// The one variable that a compiler gets: a program may need it to find its libraries. Every other may be a secret.
const LIBRARIES: &str = "LD_LIBRARY_PATH";
/// mimalloc, the program's allocator, would commit a gigabyte at the start, which the compiler's limit would count as memory
/// in use. mimalloc reads the variable before `main` could change the option.
const RESERVE_ONLY: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// A request for a compiler.
struct StartRequest {
    /// The runtime that serves the compiler's pipes.
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

/// Starts compilers until it is dropped.
pub(super) struct Starter(mpsc::Sender<StartRequest>);

impl Starter {
    /// Opens the program and starts the thread.
    pub(super) fn new(program: &CompilerProgram) -> io::Result<Self> {
        let program = OpenProgram::open(program)?;
        let (sender, mut wanted) = mpsc::channel::<StartRequest>(MAX_WAITING);
        thread::Builder::new().name("compilers".to_owned()).spawn(move || {
            // Compilers inherit this priority, so that all of their work comes after guests.
            lower_priority(NICENESS);
            while let Some(StartRequest { runtime, started }) = wanted.blocking_recv() {
                let _runtime = runtime.enter();
                // The request may have been dropped meanwhile. Then the compiler is dropped here, which ends it.
                let _ = started.send(program.start());
            }
        })?;
        Ok(Self(sender))
    }

    /// Starts a compiler that waits for its order. Dropping the process ends it.
    pub(super) async fn start(&self) -> io::Result<Child> {
        let (started, child) = oneshot::channel();
        let wanted = StartRequest { runtime: Handle::current(), started };
        let gone = || io::Error::other("the thread that starts compilers has ended");
        self.0.send(wanted).await.map_err(|_closed| gone())?;
        child.await.map_err(|_closed| gone())?
    }
}

/// The program that is started.
enum OpenProgram {
    /// Held open: an upgrade puts another file at the path, which would compile for another version of the host.
    Open(File),
    Path(PathBuf),
}

impl OpenProgram {
    fn open(program: &CompilerProgram) -> io::Result<Self> {
        match program {
            CompilerProgram::ThisOne => File::open(THIS_PROGRAM)
                .map(Self::Open)
                // Some systems have no `/proc`.
                .or_else(|_missing| std::env::current_exe().map(Self::Path)),
            CompilerProgram::Other(path) => Ok(Self::Path(std::path::absolute(path)?)),
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = match self {
            // The descriptor is closed once the program has started.
            Self::Open(file) => Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())),
            Self::Path(path) => Command::new(path),
        };
        command.arg0("aviary-compiler").arg(ARGUMENT).arg(std::process::id().to_string());
        command.env_clear().env(RESERVE_ONLY.0, RESERVE_ONLY.1);
        command.envs(std::env::var_os(LIBRARIES).map(|value| (LIBRARIES, value)));
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C in a terminal should reach the host only, which ends its compilers.
        command.process_group(0).kill_on_drop(true).spawn()
    }
}
