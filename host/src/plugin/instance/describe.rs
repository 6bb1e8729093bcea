//! The one call before any callback: a plugin says what it is.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::bindings::exports::lark::callback::plugin_info;
use crate::callback::model::Callback;
use crate::deadline::Deadline;
use crate::journal::tape::Tape;
use crate::plugin::engine::GuestEngine;
use crate::plugin::instance::CallError;
use crate::plugin::instance::Reach;
use crate::plugin::instance::classify;
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
    let mut store = plugin.store(&Callback::default(), deadline, io, Reach::Nothing, &Tape::off());
    let asking = async {
        let instance = instance_pre.instantiate_async(&mut store).await?;
        indices.load(&mut store, &instance)?.call_describe(&mut store).await
    };
    match tokio::time::timeout_at(deadline.soft(), asking).await {
        Err(_elapsed) => Err(CallError::Stopped),
        Ok(Ok(info)) => Ok(Some(info)),
        Ok(Err(error)) => Err(classify(&error, plugin, store.data().limiter.refused())),
    }
}
