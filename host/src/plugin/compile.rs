//! From the bytes of a file to a linked component, or to the reason why not, in words.

use wasmtime::component::Component;
use wasmtime::component::InstancePre;

use crate::plugin::engine::GuestEngine;
use crate::plugin::explain::missing_imports;
use crate::plugin::form::Form;
use crate::plugin::form::FormError;
use crate::plugin::state::GuestState;

/// Why a file is not a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CompileError {
    /// Nothing that could be made one.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It begins well and is broken.
    #[error("does not compile: {0}")]
    Compile(String),
    /// It asks for what this host does not have.
    #[error("cannot be linked: {reason}")]
    Link {
        /// Which imports, and what there is instead.
        reason: String,
    },
}

/// Takes as long as compiling takes: never call it on an I/O thread.
pub(super) fn compile(engine: &GuestEngine, bytes: &[u8]) -> Result<Component, CompileError> {
    Component::from_binary(&engine.engine, &Form::of(bytes)?.component(bytes)?)
        .map_err(|error| CompileError::Compile(format!("{error:#}")))
}

/// Finds everything that it asks for.
pub(super) fn link(
    engine: &GuestEngine,
    component: &Component,
) -> Result<InstancePre<GuestState>, CompileError> {
    engine.linker.instantiate_pre(component).map_err(|error| {
        let missing = missing_imports(component, &engine.engine);
        let reason = if missing.is_empty() {
            // All names are right, so a type is wrong; wasmtime says which, in its own terms.
            format!("{error:#}; its imports have the right names and another shape than in wit/")
        } else {
            missing.join("; ")
        };
        CompileError::Link { reason }
    })
}
