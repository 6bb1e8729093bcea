//! From the bytes of a file to linked code, or to the reason why not, in words.

use wasmtime::Module;
use wasmtime::UnknownImportError;
use wasmtime::component::Component;

use crate::plugin::explain::missing_imports;
use crate::plugin::form::Form;
use crate::plugin::form::FormError;
use crate::plugin::form::START;
use crate::plugin::form::wrapped;
use crate::plugin::linked::Compiled;
use crate::plugin::linked::Linked;
use crate::plugin::linked::Program;
use crate::plugin::machine::Machine;

/// Why a file is not a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CompileError {
    /// Nothing that could be made one.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It begins well and is broken.
    #[error("does not compile: {0}")]
    Compile(String),
    /// It asks for what this host does not have.
    #[error("cannot be linked: {reason}")]
    Link {
        /// Which imports, and what there is instead.
        reason: String,
    },
}

/// Takes as long as compiling takes: never call it on an I/O thread.
pub(super) fn compile(machine: &Machine, bytes: &[u8]) -> Result<Compiled, CompileError> {
    let broken = |error: wasmtime::Error| CompileError::Compile(format!("{error:#}"));
    let component = |bytes: &[u8]| Component::from_binary(&machine.engine, bytes).map_err(broken);
    Ok(match Form::of(bytes)? {
        Form::Component => Compiled::Component(component(bytes)?),
        Form::TypedModule => Compiled::Component(component(&wrapped(bytes)?)?),
        Form::CommandModule => {
            Compiled::Program(Module::from_binary(&machine.engine, bytes).map_err(broken)?)
        }
    })
}

/// Finds everything that it asks for.
pub(super) fn link(machine: &Machine, compiled: &Compiled) -> Result<Linked, CompileError> {
    match compiled {
        Compiled::Component(component) => link_component(machine, component),
        Compiled::Program(module) => link_program(machine, module),
    }
}

fn link_component(machine: &Machine, component: &Component) -> Result<Linked, CompileError> {
    machine.linker.instantiate_pre(component).map(Linked::Component).map_err(|error| {
        let missing = missing_imports(component, &machine.engine);
        let reason = if missing.is_empty() {
            // All names are right, so a type is wrong; wasmtime says which, in its own terms.
            format!("{error:#}; its imports have the right names and another shape than in wit/")
        } else {
            missing.join("; ")
        };
        CompileError::Link { reason }
    })
}

fn link_program(machine: &Machine, module: &Module) -> Result<Linked, CompileError> {
    let instance_pre = machine.program_linker.instantiate_pre(module).map_err(|error| {
        let reason = match error.downcast_ref::<UnknownImportError>() {
            Some(unknown) => {
                format!("it imports {}, which WASI preview 1 does not have", unknown.name())
            }
            None => format!("{error:#}; its imports have another shape than in WASI preview 1"),
        };
        CompileError::Link { reason }
    })?;
    let start = module
        .get_export_index(START)
        .ok_or_else(|| CompileError::Link { reason: format!("it exports no {START}") })?;
    Ok(Linked::Program(Program::new(instance_pre, start)))
}
