//! The call of `describe`, made once when a plugin is loaded.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::model::Callback;
use crate::deadline::Deadline;
use crate::runtime::call::error::CallError;
use crate::runtime::call::guest::Guest;
use crate::runtime::call::last_words::last_words;
use crate::runtime::call::run::CallThreads;
use crate::runtime::call::thread_sharing::take_turns;
use crate::runtime::code::linked::Linked;
use crate::runtime::engine::GuestEngine;
use crate::runtime::machine::StaleMemory;
use crate::runtime::unit::Unit;
use crate::tape::Tape;

/// Asks the plugin for its description; `None` if it exports none.
pub async fn describe(
    engine: &GuestEngine,
    unit: &Arc<Unit>,
    deadline: Deadline,
) -> Result<Option<plugin_info::Info>, CallError> {
    let (CallThreads { io, long }, unit) = (CallThreads::of(engine), Arc::clone(unit));
    let asking =
        engine.threads().spawn(async move { take_turns(ask(&unit, deadline, io), &long).await });
    let (info, _) = asking.await.map_err(|error| CallError::lost(&error))?;
    info
}

async fn ask(
    unit: &Unit,
    deadline: Deadline,
    io: Handle,
) -> Result<Option<plugin_info::Info>, CallError> {
    if unit.handlers().info.is_none() {
        return Ok(None);
    }
    let (callback, tape) = (Arc::new(Callback::default()), Tape::off());
    let mut guest = unit.fresh_guest(unit.trial(&callback, deadline, io, tape));
    let asking = async {
        loop {
            match ask_once(&mut guest).await {
                Err(error) if error.is::<StaleMemory>() => {}
                outcome => break outcome.map(Ok),
            }
            match unit.code.safe().await {
                Ok(runnable) => unit.run_instead(&mut guest, runnable),
                Err(failure) => break Ok(Err(failure)),
            }
        }
    };
    match tokio::time::timeout_at(deadline.soft(), asking).await {
        Err(_elapsed) => Err(CallError::Stopped),
        Ok(Ok(info)) => info,
        Ok(Err(error)) => {
            let state = guest.store.data();
            let (errors, settings) = (state.wasi.printed.take_errors(), &unit.access.settings);
            let logged = state.call.as_ref().and_then(|call| call.services.logged_error());
            Err(CallError::of(&error, &unit.limits, state.limiter.refused())
                .with_last_words(|| last_words(logged, &errors, settings)))
        }
    }
}

async fn ask_once(guest: &mut Guest) -> wasmtime::Result<Option<plugin_info::Info>> {
    let Guest { store, runnable, .. } = guest;
    let (Some(indices), Linked::Component(instance_pre)) =
        (&runnable.handlers.info, &runnable.linked)
    else {
        return Ok(None);
    };
    let instance = instance_pre.instantiate_async(&mut *store).await?;
    indices.load(&mut *store, &instance)?.call_describe(store).await.map(Some)
}
