//! The `aviary` program: the command line, and the allocator that it runs with.

use std::process::ExitCode;

use libmimalloc_sys::mi_option_t;
use mimalloc::MiMalloc;

/// With the system's allocator, a tenth of what a click costs the program itself went into taking and giving back memory. Not
/// of the library: a server that embeds the host chooses its own.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc's header: milliseconds until memory that nobody uses goes back to the system.
const PURGE_DELAY: mi_option_t = 15;

fn main() -> ExitCode {
    // A host starts this program again for each plugin that it compiles.
    if let Some(code) = aviary::run_as_compiler() {
        return code;
    }
    give_memory_back();
    aviary::cli::main()
}

/// At once. What is due later goes only when somebody takes or gives memory again, and the threads that compile do nothing
/// once they have compiled: an idle host kept 40 MB.
#[expect(unsafe_code, reason = "mimalloc is written in C")]
fn give_memory_back() {
    // SAFETY: it stores a number, and there is no other thread yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "mimalloc is written in C")]
    fn the_number_is_still_that_of_the_delay() {
        // SAFETY: it reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "what mimalloc has if nobody sets it");
        give_memory_back();
        assert_eq!(delay(), 0);
    }
}
