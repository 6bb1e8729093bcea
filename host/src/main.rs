//! The `aviary` program: the command line and nothing else.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// With the system's allocator, a tenth of what a click costs the program itself went into taking and giving back memory. Not
/// of the library: a server that embeds the host chooses its own.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    aviary::cli::main()
}
