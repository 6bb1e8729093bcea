//! From a file of machine code to a component. The one place of this project that has to be trusted blindly.
#![allow(
    unsafe_code,
    reason = "wasmtime runs what is in the file with all the rights of the host, and cannot check it"
)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::plugin::code_cache::entry::Distrust;

/// Maps the code. Only for a file that [`verified`](crate::plugin::code_cache::entry::verified) found to be good.
pub(super) fn component(engine: &Engine, path: &Path) -> Result<Component, Distrust> {
    // SAFETY: the file holds what `Component::serialize` gave to a host of the same version and settings: its digest was
    // checked, and it and its folder can be written to by the host's user alone. Files are never written in place, only
    // exchanged as a whole and deleted, which what is mapped does not notice.
    unsafe { Component::deserialize_file(engine, path) }
        .map_err(|error| Distrust::NotTaken(format!("{error:#}")))
}
