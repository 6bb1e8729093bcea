//! From a file of machine code to a component or a program. The one place of this project that has to be trusted blindly.
#![allow(
    unsafe_code,
    reason = "wasmtime runs what is in the file with all the rights of the host, and cannot check it"
)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::Module;
use wasmtime::Precompiled;
use wasmtime::component::Component;

use crate::plugin::code_cache::entry::Distrust;
use crate::plugin::linked::Compiled;

/// Maps the code. Only for a file that [`verified`](crate::plugin::code_cache::entry::verified) found to be good.
pub(super) fn compiled(engine: &Engine, path: &Path) -> Result<Compiled, Distrust> {
    let not_taken = |error: wasmtime::Error| Distrust::NotTaken(format!("{error:#}"));
    let kind = Engine::detect_precompiled_file(path).map_err(not_taken)?;
    // SAFETY: the file holds what `Compiled::serialize` gave to a host of the same version and settings: its digest was
    // checked, and it and its folder can be written to by the host's user alone. Files are never written in place, only
    // exchanged as a whole and deleted, which what is mapped does not notice.
    unsafe {
        match kind {
            Some(Precompiled::Module) => {
                Module::deserialize_file(engine, path).map(Compiled::Program)
            }
            // wasmtime says what is wrong with anything else.
            Some(Precompiled::Component) | None => {
                Component::deserialize_file(engine, path).map(Compiled::Component)
            }
        }
    }
    .map_err(not_taken)
}
