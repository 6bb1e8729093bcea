//! The ways in which a call fails.

use wasmtime::PoolConcurrencyLimitError;
use wasmtime::Trap;
use wasmtime::WasmBacktrace;

use crate::bindings::handlers::lark::callback::types;
use crate::callback::reply::Toast;
use crate::capability::plugin_settings::PluginSettings;
use crate::runtime::call::lift;
use crate::runtime::limits::Limits;
use crate::runtime::memory::GrowthRefused;

/// Why a handler did not return a reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The plugin reports a failure, with a toast for the user.
    #[error("the plugin answered with a failure for the user")]
    User(Toast),
    /// The plugin reports a failure, with a reason for the log.
    #[error("the plugin failed: {0}")]
    Internal(String),
    /// A command ended with an exit code other than 0.
    #[error("the plugin failed: exit code {code}{}", after_colon(said))]
    Exit {
        /// Any code but 0.
        code: i32,
        /// The guest's last words; empty if it said nothing.
        said: String,
    },
    /// The guest has used up its fuel.
    #[error("the plugin used up its {limit} units of fuel")]
    OutOfFuel {
        /// The fuel that it was given.
        limit: u64,
    },
    /// The guest crashed after it was refused memory.
    #[error("the plugin wanted more than its {limit} bytes of memory")]
    OutOfMemory {
        /// The plugin's limit, in bytes.
        limit: usize,
    },
    /// The guest was still running when its time was over.
    #[error("the plugin was stopped at the end of its time")]
    Stopped,
    /// The guest trapped.
    #[error("the plugin crashed: {trap}{}", after_colon(said))]
    Trap {
        /// The engine's reason.
        trap: String,
        /// The guest's last words, for example an exception with its stack; empty if it said nothing.
        said: String,
    },
    /// The reply holds more text than the plugin's limit.
    #[error("the reply holds {size} bytes; the plugin's limit is {limit}")]
    ReplyTooLarge {
        /// Bytes in the reply.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The reply violates the contract, or is too long to be copied out of the guest.
    #[error("the reply cannot be read: {0}")]
    Unreadable(String),
    /// All guests together have used up the memory for guests.
    #[error("the guests of this host have used up guests.memory_bytes")]
    HostMemory,
    /// The pool has no room for an instance, although it has a place for every call.
    #[error("no room for another instance: {0}")]
    NoRoom(String),
}

/// Returns a guest's words as the end of a sentence. Several lines begin on a line of their own.
fn after_colon(said: &str) -> String {
    match said {
        "" => String::new(),
        said if said.contains('\n') => format!(":\n{said}"),
        said => format!(": {said}"),
    }
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
    /// Classifies an error of wasmtime.
    pub(in crate::runtime) fn of(
        error: &wasmtime::Error,
        limits: &Limits,
        refused: Option<GrowthRefused>,
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
            Some(trap) => Self::trap(trap),
            None if error.is::<PoolConcurrencyLimitError>() => Self::NoRoom(said()),
            // An error inside a guest has a backtrace; one from reading its result has none.
            None if error.downcast_ref::<WasmBacktrace>().is_none() => Self::Unreadable(said()),
            None => Self::trap(&said()),
        }
    }

    /// Returns the error for a guest that was refused memory, even if the guest then gave up in its own way.
    pub(in crate::runtime) fn for_want_of_memory(
        limits: &Limits,
        refused: Option<GrowthRefused>,
    ) -> Option<Self> {
        Some(match refused? {
            GrowthRefused::Own => Self::OutOfMemory { limit: limits.memory_bytes },
            GrowthRefused::Host => Self::HostMemory,
        })
    }

    /// Removes the plugin's secrets from the text, for the log.
    pub(in crate::runtime) fn without_secrets(self, settings: &PluginSettings) -> Self {
        match self {
            Self::Internal(text) => Self::Internal(settings.without_secrets(&text).into_owned()),
            other => other,
        }
    }

    /// Adds the guest's last words, which hold no secrets, to the reason of a crash.
    pub(in crate::runtime) fn with_last_words(self, words: impl FnOnce() -> String) -> Self {
        match self {
            Self::Exit { code, .. } => Self::Exit { code, said: words() },
            Self::Trap { trap, .. } => Self::Trap { trap, said: words() },
            other => other,
        }
    }

    fn trap(reason: &dyn std::fmt::Display) -> Self {
        Self::Trap { trap: reason.to_string(), said: String::new() }
    }

    /// Makes the error of a call that was lost because the host itself failed.
    pub(in crate::runtime) fn lost(error: &dyn std::fmt::Display) -> Self {
        Self::trap(&format_args!("the guest's thread failed: {error}"))
    }
}
