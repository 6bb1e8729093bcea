//! Code that calls of a plugin run: linked for one machine, with its handlers.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::runtime::call::error::CallError;
use crate::runtime::code::Code;
use crate::runtime::code::SharedCode;
use crate::runtime::code::link::link;
use crate::runtime::code::linked::Linked;
use crate::runtime::code_cache::copied;
use crate::runtime::handlers::Handlers;
use crate::runtime::machine::Machine;
use crate::runtime::machine::linkers::Linkers;
use crate::runtime::machine::machines::Machines;

/// Code for one machine. The indices of its handlers are valid for this code only.
pub(in crate::runtime) struct Runnable {
    pub(in crate::runtime) machine: Arc<Machine>,
    pub(in crate::runtime) linked: Linked,
    pub(in crate::runtime) handlers: Handlers,
    /// Lets other plugins of the same file find the code.
    _shared: Option<Arc<SharedCode>>,
}

impl Runnable {
    /// Returns `None` if the code has no handler.
    pub(in crate::runtime) fn new(code: &Code) -> Option<Self> {
        Some(Self {
            machine: Arc::clone(&code.machine),
            linked: code.linked.clone(),
            handlers: Handlers::find(&code.linked)?,
            _shared: Some(Arc::clone(&code.shared)),
        })
    }

    /// Moves the code to another machine. Copies all of it, so it must not run on an I/O thread.
    fn moved(&self, linkers: &Linkers) -> Result<Self, CallError> {
        let failed = |reason: String| CallError::NoRoom(format!("cannot move its code: {reason}"));
        let code = copied(&linkers.machine.engine, &self.linked.code())
            .map_err(|error| failed(format!("{error:#}")))?;
        let linked = link(linkers, &code).map_err(|error| failed(error.to_string()))?;
        let handlers =
            Handlers::find(&linked).ok_or_else(|| failed("its handlers are gone".to_owned()))?;
        let machine = Arc::clone(&linkers.machine);
        Ok(Self { machine, linked, handlers, _shared: None })
    }
}

/// The code of a plugin, which can be moved to another machine while calls run.
pub(in crate::runtime) struct MovableCode {
    current: ArcSwap<Runnable>,
    machines: Arc<Machines>,
    moving: Mutex<()>,
}

impl MovableCode {
    pub(in crate::runtime) fn new(runnable: Runnable, machines: Arc<Machines>) -> Self {
        Self { current: ArcSwap::from_pointee(runnable), machines, moving: Mutex::new(()) }
    }

    pub(in crate::runtime) fn current(&self) -> Arc<Runnable> {
        self.current.load_full()
    }

    /// Returns code for a machine that wipes memory reliably, and moves the code there if necessary. Concurrent calls wait for
    /// one move.
    pub(in crate::runtime) async fn safe(&self) -> Result<Arc<Runnable>, CallError> {
        let _turn = self.moving.lock().await;
        let current = self.current();
        if !current.machine.may_leak() {
            return Ok(current);
        }
        let (began, machines) = (Instant::now(), Arc::clone(&self.machines));
        let moving = tokio::task::spawn_blocking(move || {
            let linkers =
                machines.safe().map_err(|error| CallError::NoRoom(format!("{error:#}")))?;
            current.moved(&linkers)
        });
        let moved = moving.await.map_err(|error| CallError::lost(&error))?;
        let moved = moved.map(Arc::new)?;
        self.current.store(Arc::clone(&moved));
        let took_ms = began.elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(took_ms, "runtime: code moved to another engine");
        Ok(moved)
    }
}
