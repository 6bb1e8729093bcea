//! The one call before any callback: a plugin says what it is.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::model::Callback;
use crate::deadline::Deadline;
use crate::journal::tape::Tape;
use crate::plugin::call::Occasion;
use crate::plugin::call_error::CallError;
use crate::plugin::engine::GuestEngine;
use crate::plugin::guest::Guest;
use crate::plugin::linked::Linked;
use crate::plugin::loaded::Plugin;
use crate::plugin::machine::StaleMemory;
use crate::plugin::turns::take_turns;

/// What it says of itself; `None` if it does not say.
pub(crate) async fn describe(
    engine: &GuestEngine,
    plugin: Plugin,
    deadline: Deadline,
) -> Result<(Plugin, Option<plugin_info::Info>), CallError> {
    let plugin = Arc::new(plugin);
    let (asked, io) = (Arc::clone(&plugin), Handle::current());
    let long = Arc::clone(&engine.long_turns);
    let asking =
        engine.threads().spawn(async move { take_turns(ask(&asked, deadline, io), &long).await });
    let (info, _) = asking.await.map_err(|error| CallError::lost(&error))?;
    let plugin = Arc::into_inner(plugin)
        .unwrap_or_else(|| unreachable!("its only call is over, and nobody else knows it yet"));
    Ok((plugin, info?))
}

async fn ask(
    plugin: &Arc<Plugin>,
    deadline: Deadline,
    io: Handle,
) -> Result<Option<plugin_info::Info>, CallError> {
    if plugin.handlers.info.is_none() {
        return Ok(None);
    }
    let (callback, tape) = (Arc::new(Callback::default()), Tape::off());
    let occasion = Occasion::tried(Arc::clone(plugin), callback, deadline, io, tape);
    let mut guest = Guest::fresh(occasion);
    let asking = async {
        loop {
            match ask_once(&mut guest).await {
                Err(error) if error.is::<StaleMemory>() => {}
                outcome => break outcome.map(Ok),
            }
            match plugin.running.safe().await {
                Ok(runnable) => guest.run_instead(runnable),
                Err(failure) => break Ok(Err(failure)),
            }
        }
    };
    match tokio::time::timeout_at(deadline.soft(), asking).await {
        Err(_elapsed) => Err(CallError::Stopped),
        Ok(Ok(info)) => info,
        Ok(Err(error)) => {
            Err(CallError::of(&error, &plugin.limits, guest.store.data().limiter.refused()))
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
