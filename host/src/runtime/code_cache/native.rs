//! Turns machine code into a component or a program. The one place of this project that has to trust its input blindly.
#![allow(
    unsafe_code,
    reason = "wasmtime runs what is in the file with all the rights of the host, and cannot check it"
)]

use std::fs::File;
use std::os::fd::AsRawFd as _;

use wasmtime::Engine;
use wasmtime::Module;
use wasmtime::Precompiled;
use wasmtime::component::Component;

use crate::runtime::code::linked::Compiled;
use crate::runtime::code_cache::entry::Distrust;

/// The folder in which the system lists the process's open files.
#[cfg(target_os = "linux")]
const OPEN_FILES: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const OPEN_FILES: &str = "/dev/fd";

/// Maps the code. Only for a file that [`verified`](crate::runtime::code_cache::entry::verified) found valid.
///
/// wasmtime opens a component by a path. This path names the open file itself, so it does not matter which file has taken its
/// name meanwhile.
pub(super) fn compiled(engine: &Engine, file: &File) -> Result<Compiled, Distrust> {
    let not_taken = |error: wasmtime::Error| Distrust::NotTaken(format!("{error:#}"));
    let path = format!("{OPEN_FILES}/{}", file.as_raw_fd());
    let kind = Engine::detect_precompiled_file(&path).map_err(not_taken)?;
    // SAFETY: the file holds what `Compiled::serialize` gave to a host of the same version and settings: the digest of
    // this very file was checked, and only the host's user can write to it. Files are never written in place, only
    // replaced as a whole or deleted, which does not affect the mapping.
    unsafe {
        match kind {
            Some(Precompiled::Module) => {
                Module::deserialize_file(engine, &path).map(Compiled::Program)
            }
            // For other contents, wasmtime's error tells what is wrong.
            Some(Precompiled::Component) | None => {
                Component::deserialize_file(engine, &path).map(Compiled::Component)
            }
        }
    }
    .map_err(not_taken)
}

/// Moves code to another engine of this process without compiling it again. Copies the code.
pub(super) fn copied(engine: &Engine, code: &Compiled) -> wasmtime::Result<Compiled> {
    // The bytes come from wasmtime in this process, and no other process has had access to them.
    deserialized(engine, &code.serialize()?)
}

/// Copies code from a compiler. Only for code whose seal is valid: the compiler is this same program, started by this process
/// with the same settings, and nobody else holds the pipe that it writes to.
pub(super) fn received(engine: &Engine, code: &[u8]) -> Result<Compiled, Distrust> {
    deserialized(engine, code).map_err(|error| Distrust::NotTaken(format!("{error:#}")))
}

fn deserialized(engine: &Engine, code: &[u8]) -> wasmtime::Result<Compiled> {
    // SAFETY: both callers hold what a wasmtime of this version serialized, and say why nobody else could have changed it.
    // wasmtime refuses code that was generated with other settings.
    unsafe {
        match Engine::detect_precompiled(code) {
            Some(Precompiled::Module) => Module::deserialize(engine, code).map(Compiled::Program),
            // For other contents, wasmtime's error tells what is wrong.
            Some(Precompiled::Component) | None => {
                Component::deserialize(engine, code).map(Compiled::Component)
            }
        }
    }
}
