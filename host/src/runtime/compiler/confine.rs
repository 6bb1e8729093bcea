//! The limits that a compiler puts on itself before it reads a byte of the file.

use std::io;

use rustix::process::Pid;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getppid;
use rustix::process::getrlimit;
use rustix::process::setrlimit;

/// Addresses beyond the memory that may be used: the program itself, the stacks of its threads, and what the allocator
/// reserves without using it. Only a second line, for systems that do not count `RLIMIT_DATA`.
const SPARE_ADDRESSES: u64 = 2 << 30;
/// Files: three pipes' ends, and each pack of compiled functions.
const MAX_FILES: u64 = 256;
/// The largest file that it writes: code that a host would still load.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Seconds between the signal that ends it and the one that would end it if that did not.
const GRACE_SECS: u64 = 5;

/// Ends this process with the host, however that ends.
///
/// The system sends the signal when the thread that started this process ends, so the host starts compilers on a thread
/// that stays (`compilers/starter`).
pub(super) fn end_with(host: Option<Pid>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have ended before it could be followed.
    if host.is_none() || getppid() != host {
        return Err(io::Error::other("the host that started this compiler is gone"));
    }
    Ok(())
}

/// Keeps this process within that much memory and processor time.
pub(super) fn limit(memory_bytes: u64, processor_secs: u64) -> io::Result<()> {
    // A compiler that runs out of memory ends with SIGABRT, and a dump of its memory is of no use to anybody.
    at_most(Resource::Core, 0, 0)?;
    at_most(Resource::Nofile, MAX_FILES, MAX_FILES)?;
    at_most(Resource::Fsize, MAX_FILE_BYTES, MAX_FILE_BYTES)?;
    at_most(Resource::Data, memory_bytes, memory_bytes)?;
    let addresses = memory_bytes.saturating_add(SPARE_ADDRESSES);
    at_most(Resource::As, addresses, addresses)?;
    // At the first number of seconds the signal SIGXCPU ends it, which tells the host why.
    at_most(Resource::Cpu, processor_secs, processor_secs + GRACE_SECS)
}

/// Whatever limit there is already is not raised.
fn at_most(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let new = Rlimit { current: Some(current.min(ceiling)), maximum: Some(maximum.min(ceiling)) };
    Ok(setrlimit(resource, new)?)
}

/// Lets the system end this process first when the machine has no memory left, and not the host.
pub(super) fn go_first() {
    // Where it does not work, the system chooses by itself.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// The name that `ps` and `top` show: the program is started by a descriptor and would be called by its number.
pub(super) fn take_name() {
    // A name is a convenience.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/comm", "aviary-compiler");
}
