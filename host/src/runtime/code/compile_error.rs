//! Why a file cannot be compiled or linked, in words.

/// Why a file is not a plugin.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The compiler found that it is none.
    #[error("{0}")]
    Refused(String),
    /// Its compilation takes more than one may.
    #[error(transparent)]
    TooCostly(#[from] TooCostly),
    /// It is not compiled yet: its compilation takes long, and another one that does is under way.
    #[error("takes long to compile, and another plugin that does is being compiled")]
    TakesLong,
    /// The host's fault: there was no compiler, or it did not do its work.
    #[error("the host could not compile it: {0}")]
    NoCompiler(String),
    /// It asks for what this host does not have.
    #[error("cannot be linked: {reason}")]
    Link {
        /// Which imports, and what there is instead.
        reason: String,
    },
}

/// Which limit a compilation met. The file is the reason, so the next time would end the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooCostly {
    /// `guests.compile_secs`
    #[error(
        "compiling it takes more than {0} s of processor time, which is guests.compile_secs; the file is the reason (often a function with very many locals, branches or nested blocks): have its author change that, or raise the setting if you trust the file"
    )]
    Time(u64),
    /// `guests.compile_memory_bytes`, or a stack, of which compilers need little
    #[error(
        "compiling it takes more than {0} bytes of memory, which is guests.compile_memory_bytes, or nests deeper than a compiler can follow; the file is the reason (often a function with very many locals, branches or nested blocks): have its author change that, or raise the setting if you trust the file"
    )]
    Memory(u64),
    /// Not a setting
    #[error(
        "the code that is compiled from it has more than {0} bytes, which is the most that a host loads; the file is the reason: have its author make it smaller"
    )]
    Code(u64),
}
