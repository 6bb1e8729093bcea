//! The tests that an author ships beside a plugin: callbacks in `name.tests/`, each of which must get a legal answer before
//! that version goes live. They do not say what the answer has to be.
//!
//! They have no effect outside the host: server API requests are not granted to them, and no card is updated.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::callback::plain;
use crate::callback::plain::PlainError;
use crate::callback::reply_check::check;
use crate::deadline::DeadlineConfig;
use crate::plugin::loaded::Plugin;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::Handler;
use crate::runtime::call::run::Task;
use crate::runtime::call::run::try_out;
use crate::runtime::engine::GuestEngine;
use crate::small_file::OpenFolder;
use crate::small_file::ReadError;
use crate::tape::Tape;

/// Callbacks that a plugin may bring. Each may take until its deadline, and other plugins wait meanwhile.
const MAX_TESTS: usize = 16;
/// The largest test, in bytes. The platform's own callbacks have a tenth of that.
const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// Why a plugin does not pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum SelfTestError {
    /// A test, or the folder of the tests, cannot be read.
    #[error("self-test {0}")]
    Read(#[from] ReadError),
    /// A test is invalid, or its answer is.
    #[error("self-test {}: {fault}", path.display())]
    Failed { path: PathBuf, fault: SelfTestFault },
}

/// A fault of one test, or of its answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SelfTestFault {
    #[error("the folder holds more than {MAX_TESTS} callbacks")]
    TooMany,
    #[error("is not a callback: {0}")]
    NotACallback(#[from] PlainError),
    #[error("the plugin exports no handler for {0}")]
    NotHandled(String),
    #[error("{0}")]
    Call(CallError),
    #[error("the reply breaks a rule: {0}")]
    Reply(String),
}

/// A test's decrypted callback.
#[derive(Debug)]
pub(super) struct SelfTest {
    path: PathBuf,
    body: Bytes,
}

impl SelfTest {
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Reads the tests in `inside`, a subfolder of the plugins folder. If it is missing, there are no tests. Blocks for as long as
/// the file system does.
pub(super) fn read(folder: &OpenFolder, inside: &Path) -> Result<Vec<SelfTest>, SelfTestError> {
    let names = match folder.names(inside) {
        Ok(names) => names,
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut paths: Vec<_> = names
        .into_iter()
        .map(|name| inside.join(name))
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    if paths.len() > MAX_TESTS {
        let path = folder.path().join(inside);
        return Err(SelfTestError::Failed { path, fault: SelfTestFault::TooMany });
    }
    // Folders are listed in any order. Sorting makes the reported fault the same each time.
    paths.sort();
    let mut tests = Vec::new();
    for path in paths {
        let body = folder.read(&path, MAX_BODY_BYTES)?.into();
        tests.push(SelfTest { path: folder.path().join(path), body });
    }
    Ok(tests)
}

/// Checks that every callback gets a legal answer. The error is about the first that does not.
pub(super) async fn pass(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    tests: Vec<SelfTest>,
) -> Result<(), SelfTestError> {
    for SelfTest { path, body } in tests {
        let tried = answer(engine, plugin, body).await;
        tried.map_err(|fault| SelfTestError::Failed { path, fault })?;
    }
    Ok(())
}

async fn answer(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    body: Bytes,
) -> Result<(), SelfTestFault> {
    let callback = plain::read(body)?;
    let kind = callback.kind();
    let handler = match plugin.handlers() {
        handlers if handlers.typed(kind) => Handler::Typed,
        handlers if handlers.json() => Handler::Json,
        _ => return Err(SelfTestFault::NotHandled(callback.header.event_type)),
    };
    let deadline = DeadlineConfig::default().starting(Instant::now());
    let task = Task { handler, callback: callback.into(), deadline, tape: Tape::off() };
    let report = try_out(engine, plugin.unit(), task).await;
    match report.result {
        Ok(raw) => {
            let faults = check(kind, raw, None).notes.faults;
            if faults.is_empty() { Ok(()) } else { Err(SelfTestFault::Reply(faults.to_string())) }
        }
        // A failure that is meant for the user is an answer too.
        Err(CallError::User(_)) => Ok(()),
        Err(error) => Err(SelfTestFault::Call(error)),
    }
}
