//! Compiled and linked code: that of a component, or of a program of WASI preview 1, which runs without a component around it.

use wasmtime::InstancePre;
use wasmtime::Module;
use wasmtime::ModuleExport;
use wasmtime::ResourcesRequired;
use wasmtime::Store;
use wasmtime::TypedFunc;
use wasmtime::component;
use wasmtime::component::Component;

use crate::runtime::call::state::GuestState;

/// Code from the compiler or from the code cache.
pub(in crate::runtime) enum Compiled {
    /// The code of a component, or of a core module that was wrapped as one.
    Component(Component),
    /// The code of a program of WASI preview 1.
    Program(Module),
}

impl Compiled {
    /// Returns the machine code in wasmtime's format.
    pub(in crate::runtime) fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Component(component) => component.serialize(),
            Self::Program(module) => module.serialize(),
        }
    }
}

/// Code with all its imports.
#[derive(Clone)]
pub(in crate::runtime) enum Linked {
    Component(component::InstancePre<GuestState>),
    Program(Program),
}

impl Linked {
    /// Returns the code before linking.
    pub(in crate::runtime) fn code(&self) -> Compiled {
        match self {
            Self::Component(component) => Compiled::Component(component.component().clone()),
            Self::Program(program) => Compiled::Program(program.module().clone()),
        }
    }

    /// Returns the resources that an instance needs; `None` if wasmtime cannot tell.
    pub(in crate::runtime) fn resources(&self) -> Option<ResourcesRequired> {
        match self {
            Self::Component(component) => component.component().resources_required(),
            Self::Program(program) => Some(program.module().resources_required()),
        }
    }

    /// Returns the names of a component's exported interfaces. A program has none.
    pub(in crate::runtime) fn exports(&self) -> Vec<String> {
        let Self::Component(component) = self else { return Vec::new() };
        let kind = component.component().component_type();
        kind.exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
    }

    /// Returns the names of the imported interfaces or modules.
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
    /// `start` is the exported start function.
    pub(in crate::runtime) fn new(
        instance_pre: InstancePre<GuestState>,
        start: ModuleExport,
    ) -> Self {
        Self { instance_pre, start }
    }

    /// Makes a fresh instance, and returns its start function.
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
