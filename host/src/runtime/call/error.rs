//! Why a call has no answer.

use wasmtime::PoolConcurrencyLimitError;
use wasmtime::Trap;
use wasmtime::WasmBacktrace;

use crate::bindings::handlers::lark::callback::types;
use crate::callback::reply::Toast;
use crate::capability::plugin_settings::PluginSettings;
use crate::runtime::call::lift;
use crate::runtime::limits::Limits;
use crate::runtime::memory::Refused;

/// Why a handler did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It wants the user to see this.
    #[error("the plugin answered with a failure for the user")]
    User(Toast),
    /// It failed, and says why for the log.
    #[error("the plugin failed: {0}")]
    Internal(String),
    /// A command said so by its exit code.
    #[error("the plugin failed: exit code {code}{}{tail}", if tail.is_empty() { "" } else { ": " })]
    Exit {
        /// Not 0.
        code: i32,
        /// What it said last on standard error.
        tail: String,
    },
    /// Its CPU budget is gone.
    #[error("the plugin used up its {limit} units of fuel")]
    OutOfFuel {
        /// Its budget.
        limit: u64,
    },
    /// It was refused memory and crashed.
    #[error("the plugin wanted more than its {limit} bytes of memory")]
    OutOfMemory {
        /// Its limit.
        limit: usize,
    },
    /// It was still at it when all its time was over.
    #[error("the plugin was stopped at the end of its time")]
    Stopped,
    /// It crashed.
    #[error("the plugin crashed: {0}")]
    Trap(String),
    /// Its reply holds more text than it may.
    #[error("the reply holds {size} bytes; the plugin's limit is {limit}")]
    ReplyTooLarge {
        /// Bytes in it.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Its reply is not what the contract says, or too long to be copied out of the guest.
    #[error("the reply cannot be read: {0}")]
    Unreadable(String),
    /// All guests together have the memory that there is for guests.
    #[error("the guests of this host have used up guests.memory_bytes")]
    HostMemory,
    /// The pool has nothing left for an instance, although it has a place for every call.
    #[error("no room for another instance: {0}")]
    NoRoom(String),
}

impl From<types::Failure> for CallError {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::User(toast) => Self::User(lift::toast(toast)),
            types::Failure::Internal(text) => Self::Internal(text),
        }
    }
}

impl CallError {
    /// What wasmtime ended it with.
    pub(in crate::runtime) fn of(
        error: &wasmtime::Error,
        limits: &Limits,
        refused: Option<Refused>,
    ) -> Self {
        let said = || format!("{error:#}");
        let trap = error.downcast_ref::<Trap>();
        if let Some(Trap::OutOfFuel) = trap {
            return Self::OutOfFuel { limit: limits.fuel };
        }
        if let Some(want) = Self::for_want_of_memory(limits, refused) {
            return want;
        }
        match trap {
            Some(trap) => Self::Trap(trap.to_string()),
            None if error.is::<PoolConcurrencyLimitError>() => Self::NoRoom(said()),
            // What goes wrong inside a guest has a trace of its frames; reading what it returned has none.
            None if error.downcast_ref::<WasmBacktrace>().is_none() => Self::Unreadable(said()),
            None => Self::Trap(said()),
        }
    }

    /// A guest that is refused memory may see it, and give up in its own way.
    pub(in crate::runtime) fn for_want_of_memory(
        limits: &Limits,
        refused: Option<Refused>,
    ) -> Option<Self> {
        Some(match refused? {
            Refused::Own => Self::OutOfMemory { limit: limits.memory_bytes },
            Refused::Host => Self::HostMemory,
        })
    }

    /// As it may stand in the log: the plugin's own words are shown without what its operator gave it.
    pub(in crate::runtime) fn without_secrets(self, settings: &PluginSettings) -> Self {
        match self {
            Self::Internal(text) => Self::Internal(settings.without_secrets(&text).into_owned()),
            Self::Exit { code, tail } => {
                Self::Exit { code, tail: settings.without_secrets(&tail).into_owned() }
            }
            other => other,
        }
    }

    /// Nobody knows how the call ended: the host itself failed.
    pub(in crate::runtime) fn lost(error: &dyn std::fmt::Display) -> Self {
        Self::Trap(format!("the guest's thread failed: {error}"))
    }
}
