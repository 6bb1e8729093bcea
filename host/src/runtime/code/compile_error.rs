//! The reasons why a file cannot be compiled or linked.

/// Why a file is not a plugin.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The compiler refused the file.
    #[error("{0}")]
    Refused(String),
    /// Compiling exceeds a limit.
    #[error(transparent)]
    TooCostly(#[from] TooCostly),
    /// The file was not compiled yet: it takes long, and another long compilation is under way.
    #[error("takes long to compile, and another plugin that does is being compiled")]
    TakesLong,
    /// A fault of the host: the compiler could not be started, or failed.
    #[error("the host could not compile it: {0}")]
    NoCompiler(String),
    /// The file has imports that this host does not offer.
    #[error("cannot be linked: {reason}")]
    Link {
        /// The imports, and what the host offers instead.
        reason: String,
    },
}

/// The limit that a compilation exceeded. The file is the cause, so another try would end the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooCostly {
    /// The limit is `guests.compile_secs`.
    #[error(
        "compiling it takes more than {0} s of processor time, which is guests.compile_secs; the file is the reason (often a function with very many locals, branches or nested blocks): have its author change that, or raise the setting if you trust the file"
    )]
    Time(u64),
    /// The limit is `guests.compile_memory_bytes`, or the stack, of which compilers need little.
    #[error(
        "compiling it takes more than {0} bytes of memory, which is guests.compile_memory_bytes, or nests deeper than a compiler can follow; the file is the reason (often a function with very many locals, branches or nested blocks): have its author change that, or raise the setting if you trust the file"
    )]
    Memory(u64),
    /// The limit is fixed: the most code that a host loads.
    #[error(
        "the code that is compiled from it has more than {0} bytes, which is the most that a host loads; the file is the reason: have its author make it smaller"
    )]
    Code(u64),
}
