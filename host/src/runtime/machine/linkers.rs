//! The host's functions, to be linked with the code for one machine.

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::capability;
use crate::runtime::call::state::GuestState;
use crate::runtime::machine::Machine;

/// A machine and its linkers.
pub(in crate::runtime) struct Linkers {
    pub(in crate::runtime) machine: Arc<Machine>,
    pub(in crate::runtime) components: Linker<GuestState>,
    /// For programs of WASI preview 1.
    pub(in crate::runtime) programs: wasmtime::Linker<GuestState>,
}

impl Linkers {
    pub(in crate::runtime) fn new(machine: Machine) -> wasmtime::Result<Self> {
        let (components, programs) =
            (link_components(&machine.engine)?, link_programs(&machine.engine)?);
        Ok(Self { machine: Arc::new(machine), components, programs })
    }
}

fn link_programs(engine: &Engine) -> wasmtime::Result<wasmtime::Linker<GuestState>> {
    let mut linker = wasmtime::Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |state: &mut GuestState| state.wasi.ctx())?;
    Ok(linker)
}

fn link_components(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    for capability in capability::all() {
        (capability.link)(&mut linker)?;
    }
    Ok(linker)
}
