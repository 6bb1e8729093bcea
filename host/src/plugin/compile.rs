//! From the bytes of a file to a linked component, or to the reason why not, in words.

use wasmtime::component::Component;
use wasmtime::component::InstancePre;

use crate::plugin::engine::GuestEngine;
use crate::plugin::explain::missing_imports;
use crate::plugin::state::GuestState;

/// Why a file is not a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CompileError {
    /// It does not begin as WebAssembly does.
    #[error(
        "not WebAssembly: the file does not begin with \\0asm (is it text, or a half-written file?)"
    )]
    NotWasm,
    /// A module without the component wrapper.
    #[error(
        "a core WebAssembly module, not a component: build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
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

const MAGIC: &[u8; 4] = b"\0asm";
/// Bytes 4 to 8 of a core module: version 1.
const CORE_VERSION: &[u8; 4] = &[1, 0, 0, 0];

/// Takes as long as compiling takes: never call it on an I/O thread.
pub(super) fn compile(engine: &GuestEngine, bytes: &[u8]) -> Result<Component, CompileError> {
    match (bytes.get(..4), bytes.get(4..8)) {
        (Some(magic), Some(version)) if magic == MAGIC => {
            if version == CORE_VERSION {
                return Err(CompileError::CoreModule);
            }
        }
        _ => return Err(CompileError::NotWasm),
    }
    Component::from_binary(&engine.engine, bytes)
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
