//! The tests that an author ships beside a plugin: callbacks in `name.tests/`, each of which must get a legal answer
//! before that version goes live. They say nothing about what the answer is, only that there is one.
//!
//! Nothing they do leaves the host: no request to the server API is granted to them, and no card is updated.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::callback::plain;
use crate::callback::plain::PlainError;
use crate::callback::reply_check::check;
use crate::deadline::DeadlineConfig;
use crate::journal::tape::Tape;
use crate::plugin::call_error::CallError;
use crate::plugin::engine::GuestEngine;
use crate::plugin::instance::Handler;
use crate::plugin::instance::Task;
use crate::plugin::instance::try_out;
use crate::plugin::registry::Plugin;

/// How many callbacks a plugin may bring. Each may take until its deadline, and other plugins wait meanwhile.
const MAX_TESTS: usize = 16;
/// The largest of them. The platform's own are a tenth of that.
const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// Why a plugin does not pass.
#[derive(Debug, thiserror::Error)]
#[error("self-test {}: {fault}", path.display())]
pub(super) struct SelfTestError {
    path: PathBuf,
    fault: SelfTestFault,
}

/// What is wrong with one test, or with what came of it.
#[derive(Debug, thiserror::Error)]
enum SelfTestFault {
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    #[error("{size} bytes; a callback may have {MAX_BODY_BYTES}")]
    TooLarge { size: u64 },
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

/// One callback, decrypted.
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

/// Reads the folder; no folder is no tests.
pub(super) async fn read(folder: &Path) -> Result<Vec<SelfTest>, SelfTestError> {
    let at = |path: &Path, fault| SelfTestError { path: path.to_owned(), fault };
    let mut entries = match tokio::fs::read_dir(folder).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(folder, SelfTestFault::Read(error))),
    };
    let mut paths = Vec::new();
    while let Some(entry) =
        entries.next_entry().await.map_err(|error| at(folder, SelfTestFault::Read(error)))?
    {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            if paths.len() == MAX_TESTS {
                return Err(at(folder, SelfTestFault::TooMany));
            }
            paths.push(path);
        }
    }
    // The order in which a folder is listed is anybody's guess, and the first fault is the one that is reported.
    paths.sort();
    let mut tests = Vec::new();
    for path in paths {
        let failed = |error| at(&path, SelfTestFault::Read(error));
        let size = tokio::fs::metadata(&path).await.map_err(failed)?.len();
        if size > MAX_BODY_BYTES {
            return Err(at(&path, SelfTestFault::TooLarge { size }));
        }
        let body = tokio::fs::read(&path).await.map_err(failed)?.into();
        tests.push(SelfTest { path, body });
    }
    Ok(tests)
}

/// Every callback gets a legal answer, or this is the first that does not.
pub(super) async fn pass(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    tests: Vec<SelfTest>,
) -> Result<(), SelfTestError> {
    for SelfTest { path, body } in tests {
        let tried = answer(engine, plugin, body).await;
        tried.map_err(|fault| SelfTestError { path, fault })?;
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
    let report = try_out(engine, plugin, task).await;
    match report.result {
        Ok(raw) => {
            let faults = check(kind, raw, None).faults;
            if faults.is_empty() { Ok(()) } else { Err(SelfTestFault::Reply(faults.to_string())) }
        }
        // What the plugin wants the user to see is an answer too.
        Err(CallError::User(_)) => Ok(()),
        Err(error) => Err(SelfTestFault::Call(error)),
    }
}
