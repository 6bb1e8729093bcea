//! The command form: one callback as JSON on standard input, the reply as JSON on standard output, words for the log on
//! standard error. Any language that can print can be a plugin.

use wasmtime::Store;
use wasmtime::component::Instance;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::exports::wasi::cli::run::GuestIndices;

use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::callback::reply::RawReply;
use crate::capability::stdio::Printed;
use crate::plugin::instance::CallError;
use crate::plugin::state::GuestState;

/// How much of the end of standard error is repeated in the line about a failure: the last line of a traceback.
const TAIL: usize = 512;
/// Where a command finds how many milliseconds it has from its start until the host answers without it.
pub(super) const REMAINING: &str = "AVIARY_REMAINING_MS";
/// What a command that prints nothing has answered: the card stays, and there is no toast.
const NOTHING: &str = "{}";

/// What a command is given besides standard input. Its settings are its environment.
#[derive(Debug)]
pub(super) struct Given<'a> {
    /// The only argument: a program expects to find its name there.
    pub(super) name: &'a str,
    /// Pairs of name and value.
    pub(super) environment: Vec<(&'a str, &'a str)>,
    /// Milliseconds until the host answers without it.
    pub(super) remaining_ms: u32,
    /// The callback.
    pub(super) input: String,
    /// How much it may print on standard output.
    pub(super) reply_bytes: usize,
}

/// Runs it to its end.
pub(super) async fn run(
    command: &GuestIndices,
    callback: &Callback,
    store: &mut Store<GuestState>,
    instance: &Instance,
    reply_bytes: usize,
) -> wasmtime::Result<Result<RawReply, CallError>> {
    let guest = command.load(&mut *store, instance)?;
    let code = match guest.call_run(&mut *store).await {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => exit.0,
            None => return Err(error),
        },
    };
    let wasi = &store.data().wasi;
    if code != 0 {
        return Ok(Err(CallError::Exit { code, tail: wasi.printed.tail(TAIL) }));
    }
    let (answer, beyond) = wasi.answer.as_ref().map(Printed::take).unwrap_or_default();
    if beyond > 0 {
        let size = answer.len().saturating_add(usize::try_from(beyond).unwrap_or(usize::MAX));
        return Ok(Err(CallError::ReplyTooLarge { size, limit: reply_bytes }));
    }
    let Ok(answer) = String::from_utf8(answer) else {
        return Ok(Err(CallError::Unreadable("standard output is not UTF-8".to_owned())));
    };
    Ok(Ok(match (answer.trim(), callback.kind()) {
        // An event wants no answer, only that it was taken.
        ("", Kind::Other) => RawReply::Accepted,
        ("", _) => RawReply::Json(NOTHING.to_owned()),
        (_, _) => RawReply::Json(answer),
    }))
}
