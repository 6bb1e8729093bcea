//! Limits that a compiler sets for itself before it reads any byte of the file.

use std::io;

use rustix::process::Pid;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getppid;
use rustix::process::getrlimit;
use rustix::process::setrlimit;

/// Address space beyond the allowed memory, in bytes: the program itself, the stacks of its threads, and memory that the
/// allocator reserves without using it. This limit is for systems that do not count memory for `RLIMIT_DATA`.
const SPARE_ADDRESSES: u64 = 2 << 30;
/// Open files: the ends of three pipes, and the packs of compiled functions.
const MAX_FILES: u64 = 256;
/// The largest file that a compiler writes, in bytes: no host would load larger code.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Seconds from the signal that ends the compiler to the kill that follows if it does not end.
const GRACE_SECS: u64 = 5;

/// Ends this process when the host ends, in whatever way.
///
/// The system sends the signal when the thread that started this process ends. So the host starts compilers on a thread that
/// lasts (`compiler_pool/starter`).
pub(super) fn end_with(host: Option<Pid>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // The host may have ended before the signal was requested.
    if host.is_none() || getppid() != host {
        return Err(io::Error::other("the host that started this compiler is gone"));
    }
    Ok(())
}

/// Limits the memory and the processor time of this process.
pub(super) fn limit(memory_bytes: u64, processor_secs: u64) -> io::Result<()> {
    // A compiler that runs out of memory ends with SIGABRT, and a dump of its memory would be useless.
    at_most(Resource::Core, 0, 0)?;
    at_most(Resource::Nofile, MAX_FILES, MAX_FILES)?;
    at_most(Resource::Fsize, MAX_FILE_BYTES, MAX_FILE_BYTES)?;
    at_most(Resource::Data, memory_bytes, memory_bytes)?;
    let addresses = memory_bytes.saturating_add(SPARE_ADDRESSES);
    at_most(Resource::As, addresses, addresses)?;
    // When `processor_secs` are used up, SIGXCPU ends the process, which tells the host why.
    at_most(Resource::Cpu, processor_secs, processor_secs + GRACE_SECS)
}

/// Sets a limit. A limit that is lower already is not raised.
fn at_most(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let new = Rlimit { current: Some(current.min(ceiling)), maximum: Some(maximum.min(ceiling)) };
    Ok(setrlimit(resource, new)?)
}

/// Makes the system end this process instead of the host when the machine runs out of memory.
pub(super) fn go_first() {
    // If this fails, the system chooses by itself.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// Sets the name that `ps` and `top` show. Without it they would show the number of the descriptor that the program was
/// started from.
pub(super) fn take_name() {
    // Errors are ignored: the name is a convenience.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/comm", "aviary-compiler");
}
