//! The thread that starts compilers. A compiler ends with the thread that started it, and this one stays for as long as the
//! engine does; those of the runtime come and go.

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

/// The program that runs, whatever has come to its path since it was started.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Compilers that wait to be started. There are no more than places.
const MAX_WAITING: usize = 8;
/// The one variable that a compiler gets: a program may need it to find its libraries. Every other may be a secret.
const LIBRARIES: &str = "LD_LIBRARY_PATH";
/// mimalloc, with which the program runs, would count a gigabyte that it reserves at the start as memory in use, and the
/// compiler's limit with it. It reads the variable before `main` could say the same.
const RESERVE_ONLY: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// Who wants one.
struct Wanted {
    /// Where its pipes are served.
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

/// Starts compilers, for as long as it is there.
pub(super) struct Starter(mpsc::Sender<Wanted>);

impl Starter {
    /// Starts the thread.
    pub(super) fn new(program: &CompilerProgram) -> io::Result<Self> {
        let program = Program::open(program)?;
        let (sender, mut wanted) = mpsc::channel::<Wanted>(MAX_WAITING);
        thread::Builder::new().name("compilers".to_owned()).spawn(move || {
            // What a compiler does apart from compiling is behind guests as well.
            lower_priority(NICENESS);
            while let Some(Wanted { runtime, started }) = wanted.blocking_recv() {
                let _runtime = runtime.enter();
                // Whoever wanted it may have given up; it ends with what is dropped here.
                let _ = started.send(program.start());
            }
        })?;
        Ok(Self(sender))
    }

    /// A compiler that waits for its order. It ends when it is dropped.
    pub(super) async fn start(&self) -> io::Result<Child> {
        let (started, child) = oneshot::channel();
        let wanted = Wanted { runtime: Handle::current(), started };
        let gone = || io::Error::other("the thread that starts compilers has ended");
        self.0.send(wanted).await.map_err(|_closed| gone())?;
        child.await.map_err(|_closed| gone())?
    }
}

/// A program to be started.
enum Program {
    /// Held open: an upgrade puts another file in its place, and that one would compile for another host.
    Open(File),
    Path(PathBuf),
}

impl Program {
    fn open(program: &CompilerProgram) -> io::Result<Self> {
        match program {
            CompilerProgram::ThisOne => File::open(THIS_PROGRAM)
                .map(Self::Open)
                // Where there is no `/proc`.
                .or_else(|_missing| std::env::current_exe().map(Self::Path)),
            CompilerProgram::Other(path) => Ok(Self::Path(std::path::absolute(path)?)),
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = match self {
            // The descriptor closes when the program has taken its place.
            Self::Open(file) => Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())),
            Self::Path(path) => Command::new(path),
        };
        command.arg0("aviary-compiler").arg(ARGUMENT).arg(std::process::id().to_string());
        command.env_clear().env(RESERVE_ONLY.0, RESERVE_ONLY.1);
        command.envs(std::env::var_os(LIBRARIES).map(|value| (LIBRARIES, value)));
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C in a terminal is for the host, which ends its compilers.
        command.process_group(0).kill_on_drop(true).spawn()
    }
}
