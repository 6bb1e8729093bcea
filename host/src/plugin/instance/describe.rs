//! The one call before any callback: a plugin says what it is.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::model::Callback;
use crate::deadline::Deadline;
use crate::journal::tape::Tape;
use crate::plugin::call_error::CallError;
use crate::plugin::engine::GuestEngine;
use crate::plugin::guest::Guest;
use crate::plugin::guest::Occasion;
use crate::plugin::linked::Linked;
use crate::plugin::registry::Plugin;
use crate::plugin::turns::take_turns;

/// What it says of itself; `None` if it does not say.
pub(crate) async fn describe(
    engine: &GuestEngine,
    plugin: Plugin,
    deadline: Deadline,
) -> Result<(Plugin, Option<plugin_info::Info>), CallError> {
    let io = Handle::current();
    let long = Arc::clone(&engine.long_turns);
    let asking = engine.threads().spawn(async move {
        let (info, _) = take_turns(ask(&plugin, deadline, io), &long).await;
        (plugin, info)
    });
    match asking.await {
        Ok((plugin, info)) => info.map(|info| (plugin, info)),
        Err(error) => Err(CallError::lost(&error)),
    }
}

async fn ask(
    plugin: &Plugin,
    deadline: Deadline,
    io: Handle,
) -> Result<Option<plugin_info::Info>, CallError> {
    let (Some(indices), Linked::Component(instance_pre)) =
        (&plugin.handlers.info, &plugin.code.linked)
    else {
        return Ok(None);
    };
    let (callback, tape) = (Callback::default(), Tape::off());
    let mut store = Guest::fresh(Occasion::tried(plugin, &callback, deadline, io, &tape)).store;
    let asking = async {
        let instance = instance_pre.instantiate_async(&mut store).await?;
        indices.load(&mut store, &instance)?.call_describe(&mut store).await
    };
    match tokio::time::timeout_at(deadline.soft(), asking).await {
        Err(_elapsed) => Err(CallError::Stopped),
        Ok(Ok(info)) => Ok(Some(info)),
        Ok(Err(error)) => Err(CallError::of(&error, plugin, store.data().limiter.refused())),
    }
}
