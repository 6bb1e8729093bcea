//! The command form: one callback as JSON on standard input, the reply as JSON on standard output, words for the log on
//! standard error. Any language that can print can be a plugin.

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

/// How much of the end of standard error is repeated in the line about a failure: the last line of a traceback.
const TAIL: usize = 512;
/// What a command that prints nothing has answered: the card stays, and there is no toast.
const NOTHING: &str = "{}";

/// How a plugin of the command form is run.
pub(in crate::runtime) enum Command {
    /// By what its component exports.
    Run(GuestIndices),
    /// From its start, without a component around it.
    Program,
}

impl Command {
    /// What a component has of it.
    pub(in crate::runtime) fn exported(instance_pre: &InstancePre<GuestState>) -> Option<Self> {
        GuestIndices::new(instance_pre).ok().map(Self::Run)
    }
}

/// Runs what a component exports to its end.
pub(in crate::runtime) async fn run(
    indices: &GuestIndices,
    store: &mut Store<GuestState>,
    instance: &Instance,
) -> wasmtime::Result<i32> {
    let guest = indices.load(&mut *store, instance)?;
    let ended = guest.call_run(store).await;
    exit_code(ended.map(|result| result.map_or(1, |()| 0)))
}

/// Runs a program from its start to its end.
pub(in crate::runtime) async fn run_program(
    start: TypedFunc<(), ()>,
    store: &mut Store<GuestState>,
) -> wasmtime::Result<i32> {
    exit_code(start.call_async(store, ()).await.map(|()| 0))
}

/// Whoever exits does not return, which is an error to wasmtime.
fn exit_code(ended: wasmtime::Result<i32>) -> wasmtime::Result<i32> {
    ended.or_else(|error| match error.downcast_ref::<I32Exit>() {
        Some(exit) => Ok(exit.0),
        None => Err(error),
    })
}

/// What one that ended with that code has answered.
pub(in crate::runtime) fn answer(
    code: i32,
    callback: &Callback,
    wasi: &Wasi,
    reply_bytes: usize,
) -> Result<RawReply, CallError> {
    if code != 0 {
        return Err(CallError::Exit { code, tail: wasi.printed.tail(TAIL) });
    }
    let (answer, beyond) = wasi.answer.as_ref().map(Printed::take).unwrap_or_default();
    if beyond > 0 {
        let size = answer.len().saturating_add(usize::try_from(beyond).unwrap_or(usize::MAX));
        return Err(CallError::ReplyTooLarge { size, limit: reply_bytes });
    }
    let answer = String::from_utf8(answer)
        .map_err(|_| CallError::Unreadable("standard output is not UTF-8".to_owned()))?;
    Ok(match (answer.trim(), callback.kind()) {
        // An event wants no answer, only that it was taken.
        ("", Kind::Other) => RawReply::Accepted,
        ("", _) => RawReply::Json(NOTHING.to_owned()),
        (_, _) => RawReply::Json(answer),
    })
}
