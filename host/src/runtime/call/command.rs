//! The command form: a plugin reads one callback as JSON on standard input, and writes the reply as JSON to standard output
//! and log lines to standard error. Any language that can print can be a plugin.

use wasmtime::Store;
use wasmtime::TypedFunc;
use wasmtime::component::Instance;
use wasmtime::component::InstancePre;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::exports::wasi::cli::run::GuestIndices;

use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::callback::reply::RawReply;
use crate::capability::stdio::Printed;
use crate::runtime::call::error::CallError;
use crate::runtime::call::state::GuestState;
use crate::runtime::call::state::Wasi;

/// The reply of a command that prints nothing: the card stays, and there is no toast.
const NOTHING: &str = "{}";

/// The entry point of a plugin of the command form.
pub(in crate::runtime) enum CommandHandler {
    /// A component's exported `run`.
    Run(GuestIndices),
    /// The start function of a core module.
    Program,
}

impl CommandHandler {
    /// Finds the entry point in a component.
    pub(in crate::runtime) fn exported(instance_pre: &InstancePre<GuestState>) -> Option<Self> {
        GuestIndices::new(instance_pre).ok().map(Self::Run)
    }
}

/// Runs a component to its end, and returns its exit code.
pub(in crate::runtime) async fn run(
    indices: &GuestIndices,
    store: &mut Store<GuestState>,
    instance: &Instance,
) -> wasmtime::Result<i32> {
    let guest = indices.load(&mut *store, instance)?;
    let ended = guest.call_run(store).await;
    exit_code(ended.map(|result| result.map_or(1, |()| 0)))
}

/// Runs a core module to its end, and returns its exit code.
pub(in crate::runtime) async fn run_program(
    start: TypedFunc<(), ()>,
    store: &mut Store<GuestState>,
) -> wasmtime::Result<i32> {
    exit_code(start.call_async(store, ()).await.map(|()| 0))
}

/// Turns WASI's exit, which wasmtime reports as an error, into its code.
fn exit_code(ended: wasmtime::Result<i32>) -> wasmtime::Result<i32> {
    ended.or_else(|error| match error.downcast_ref::<I32Exit>() {
        Some(exit) => Ok(exit.0),
        None => Err(error),
    })
}

/// Returns the reply of a command that ended with that exit code.
pub(in crate::runtime) fn answer(
    code: i32,
    callback: &Callback,
    wasi: &Wasi,
    reply_bytes: usize,
) -> Result<RawReply, CallError> {
    if code != 0 {
        return Err(CallError::Exit { code, said: String::new() });
    }
    let (answer, beyond) = wasi.answer.as_ref().map(Printed::take).unwrap_or_default();
    if beyond > 0 {
        let size = answer.len().saturating_add(usize::try_from(beyond).unwrap_or(usize::MAX));
        return Err(CallError::ReplyTooLarge { size, limit: reply_bytes });
    }
    // A character that was cut in two becomes U+FFFD, as it does in the languages that have text of their own.
    let answer = String::from_utf8_lossy(&answer);
    Ok(match (answer.trim(), callback.kind()) {
        // An event needs an acknowledgement only.
        ("", Kind::Other) => RawReply::Accepted,
        ("", _) => RawReply::Json(NOTHING.to_owned()),
        (_, _) => RawReply::Json(answer.into_owned()),
    })
}
