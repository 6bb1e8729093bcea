//! The tests that an author ships beside a plugin: callbacks in `name.tests/`, each of which must get a legal answer before
//! that version goes live. They do not say what the answer has to be.
//!
//! They have no effect outside the host. What the plugin asks of the platform and of other servers is answered from
//! `click.api.json` beside `click.json`, or else with an empty success. A plugin is refused for a crash, for an answer that breaks
//! a rule, and for a missing grant.

mod files;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::callback::plain;
use crate::callback::plain::PlainError;
use crate::callback::reply_check::check;
use crate::capability::context::CallMode;
use crate::capability::prepared::Answers;
use crate::capability::prepared::AnswersError;
use crate::capability::prepared::Prepared;
use crate::deadline::DeadlineConfig;
use crate::folder::self_test::files::MAX_TESTS;
use crate::folder::self_test::files::SelfTest;
use crate::folder::self_test::files::TestFile;
use crate::plugin::loaded::Plugin;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::Handler;
use crate::runtime::call::run::Task;
use crate::runtime::call::run::try_out;
use crate::runtime::engine::GuestEngine;
use crate::small_file::ReadError;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StorePlace;
use crate::tape::Tape;
use crate::telemetry::events::SELF_TEST_FAILURE_REPORTED;

pub use crate::folder::self_test::files::AUTHORS;
pub use crate::folder::self_test::files::MAX_LIST_BYTES;
pub(super) use crate::folder::self_test::files::SelfTests;
pub use crate::folder::self_test::files::is_callback;

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
    #[error("holds answers for a callback, and there is no {0} beside it")]
    NoCallback(String),
    #[error("is not a callback: {0}")]
    NotACallback(#[from] PlainError),
    #[error(transparent)]
    Answers(#[from] AnswersError),
    #[error("the plugin exports no handler for {0}")]
    NotHandled(String),
    #[error("{0}")]
    NotGranted(String),
    #[error("{0}")]
    Call(CallError),
    #[error("the reply breaks a rule: {0}")]
    Reply(String),
    #[error("cannot be run: {0}")]
    Store(#[from] StoreError),
}

/// Checks that every callback gets a legal answer. The error is about the first that does not.
pub(super) async fn pass(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    tests: SelfTests,
) -> Result<(), SelfTestError> {
    for SelfTest { callback: TestFile { path, bytes }, answers } in tests.into_inner() {
        let answers = match answers {
            None => Answers::default(),
            Some(file) => Answers::read(&file.bytes)
                .map_err(|error| SelfTestError::Failed { path: file.path, fault: error.into() })?,
        };
        match answer(engine, plugin, bytes, answers).await {
            Ok(None) => {}
            Ok(Some(reported)) => warn(plugin, &path, &reported),
            Err(fault) => return Err(SelfTestError::Failed { path, fault }),
        }
    }
    Ok(())
}

/// Runs one test. Returns the failure that the plugin reported, if it did: with answers that nobody prepared, a sound plugin may
/// find nothing in them.
async fn answer(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    body: Bytes,
    answers: Answers,
) -> Result<Option<String>, SelfTestFault> {
    let callback = plain::read(body)?;
    let kind = callback.kind();
    let handler = match plugin.handlers() {
        handlers if handlers.typed(kind) => Handler::Typed,
        handlers if handlers.json() => Handler::Json,
        _ => return Err(SelfTestFault::NotHandled(callback.header.event_type)),
    };
    let deadline = kind.deadline(DeadlineConfig::default(), Instant::now());
    let task = Task { handler, callback: callback.into(), deadline, tape: Tape::off() };
    let prepared = Arc::new(Prepared::new(answers, Store::open(&StorePlace::Memory).await?));
    let mode = CallMode::SelfTest(Arc::clone(&prepared));
    let report = try_out(engine, plugin.unit(), task, mode).await;
    // Comes first, because a crash may come of it.
    if let Some(missing) = prepared.take_missing() {
        return Err(SelfTestFault::NotGranted(missing));
    }
    match report.result {
        Ok(raw) => {
            let faults = check(kind, raw, None).faults;
            if faults.is_empty() { Ok(None) } else { Err(SelfTestFault::Reply(faults.to_string())) }
        }
        // A failure that is meant for the user is an answer too.
        Err(CallError::User(_)) => Ok(None),
        Err(error @ CallError::Internal(_)) => Ok(Some(error.to_string())),
        Err(error) => Err(SelfTestFault::Call(error)),
    }
}

fn warn(plugin: &Plugin, path: &Path, reason: &str) {
    let id = plugin.id();
    let (app, plugin, version, test) = (&id.app, &id.name, &id.version, path.display());
    tracing::warn!(%app, %plugin, %version, %test, reason, "{SELF_TEST_FAILURE_REPORTED}");
}
