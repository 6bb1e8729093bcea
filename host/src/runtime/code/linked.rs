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

use crate::runtime::call::state::GuestState;

/// Code that came from the compiler or from the disk.
pub(in crate::runtime) enum Compiled {
    /// Of a component, or of what was made one.
    Component(Component),
    /// Of a program.
    Program(Module),
}

impl Compiled {
    /// The machine code as wasmtime stores it.
    pub(in crate::runtime) fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Component(component) => component.serialize(),
            Self::Program(module) => module.serialize(),
        }
    }
}

/// The same with all that it asks the host for.
#[derive(Clone)]
pub(in crate::runtime) enum Linked {
    /// See [`Compiled`].
    Component(component::InstancePre<GuestState>),
    /// Likewise.
    Program(Program),
}

impl Linked {
    /// The code that it is made of.
    pub(in crate::runtime) fn code(&self) -> Compiled {
        match self {
            Self::Component(component) => Compiled::Component(component.component().clone()),
            Self::Program(program) => Compiled::Program(program.module().clone()),
        }
    }

    /// What an instance takes, where that can be told.
    pub(in crate::runtime) fn resources(&self) -> Option<ResourcesRequired> {
        match self {
            Self::Component(component) => component.component().resources_required(),
            Self::Program(program) => Some(program.module().resources_required()),
        }
    }

    /// The interfaces that a component has to offer; nobody asks a program.
    pub(in crate::runtime) fn exports(&self) -> Vec<String> {
        let Self::Component(component) = self else { return Vec::new() };
        let kind = component.component().component_type();
        kind.exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
    }

    /// The interfaces that it asks the host for.
    pub(in crate::runtime) fn imports(&self) -> Vec<String> {
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
pub(in crate::runtime) struct Program {
    instance_pre: InstancePre<GuestState>,
    start: ModuleExport,
}

impl Program {
    /// `start` is where it begins.
    pub(in crate::runtime) fn new(
        instance_pre: InstancePre<GuestState>,
        start: ModuleExport,
    ) -> Self {
        Self { instance_pre, start }
    }

    /// A fresh instance of it, ready to start.
    pub(in crate::runtime) async fn instantiate(
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
