//! What a file is once it is compiled, and once it is linked: a component, or a program of WASI preview 1, which runs as it
//! is.

use wasmtime::InstancePre;
use wasmtime::Module;
use wasmtime::ModuleExport;
use wasmtime::ResourcesRequired;
use wasmtime::Store;
use wasmtime::TypedFunc;
use wasmtime::component;
use wasmtime::component::Component;

use crate::plugin::state::GuestState;

/// Code that came from the compiler or from the disk.
pub(super) enum Compiled {
    /// Of a component, or of what was made one.
    Component(Component),
    /// Of a program.
    Program(Module),
}

impl Compiled {
    /// The machine code as wasmtime stores it.
    pub(super) fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Component(component) => component.serialize(),
            Self::Program(module) => module.serialize(),
        }
    }
}

/// The same with all that it asks the host for.
#[derive(Clone)]
pub(super) enum Linked {
    /// See [`Compiled`].
    Component(component::InstancePre<GuestState>),
    /// Likewise.
    Program(Program),
}

impl Linked {
    /// The code that it is made of.
    pub(super) fn code(&self) -> Compiled {
        match self {
            Self::Component(component) => Compiled::Component(component.component().clone()),
            Self::Program(program) => Compiled::Program(program.module().clone()),
        }
    }

    /// What an instance takes, where that can be told.
    pub(super) fn resources(&self) -> Option<ResourcesRequired> {
        match self {
            Self::Component(component) => component.component().resources_required(),
            Self::Program(program) => Some(program.module().resources_required()),
        }
    }

    /// The interfaces that a component has to offer; nobody asks a program.
    pub(super) fn exports(&self) -> Vec<String> {
        let Self::Component(component) = self else { return Vec::new() };
        let kind = component.component().component_type();
        kind.exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
    }

    /// The interfaces that it asks the host for.
    pub(super) fn imports(&self) -> Vec<String> {
        match self {
            Self::Component(component) => {
                let kind = component.component().component_type();
                kind.imports(component.engine()).map(|(name, _)| name.to_owned()).collect()
            }
            Self::Program(program) => {
                let mut from: Vec<_> =
                    program.module().imports().map(|import| import.module().to_owned()).collect();
                from.sort();
                from.dedup();
                from
            }
        }
    }
}

/// A program of WASI preview 1.
#[derive(Clone)]
pub(super) struct Program {
    instance_pre: InstancePre<GuestState>,
    start: ModuleExport,
}

impl Program {
    /// `start` is where it begins.
    pub(super) fn new(instance_pre: InstancePre<GuestState>, start: ModuleExport) -> Self {
        Self { instance_pre, start }
    }

    /// A fresh instance of it, ready to start.
    pub(super) async fn instantiate(
        &self,
        store: &mut Store<GuestState>,
    ) -> wasmtime::Result<TypedFunc<(), ()>> {
        let instance = self.instance_pre.instantiate_async(&mut *store).await?;
        let start = instance
            .get_module_export(&mut *store, &self.start)
            .and_then(wasmtime::Extern::into_func)
            .ok_or_else(|| wasmtime::Error::msg("its _start is no function"))?;
        start.typed::<(), ()>(&*store)
    }

    fn module(&self) -> &Module {
        self.instance_pre.module()
    }
}
