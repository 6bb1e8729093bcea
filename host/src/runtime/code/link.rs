//! Links compiled code with the host's functions.

use wasmtime::Module;
use wasmtime::UnknownImportError;
use wasmtime::component::Component;

use crate::runtime::code::compile_error::CompileError;
use crate::runtime::code::file_kind::START;
use crate::runtime::code::imports::missing_imports;
use crate::runtime::code::linked::Compiled;
use crate::runtime::code::linked::Linked;
use crate::runtime::code::linked::Program;
use crate::runtime::machine::linkers::Linkers;

/// Links everything that the code imports.
pub(in crate::runtime) fn link(
    linkers: &Linkers,
    compiled: &Compiled,
) -> Result<Linked, CompileError> {
    match compiled {
        Compiled::Component(component) => link_component(linkers, component),
        Compiled::Program(module) => link_program(linkers, module),
    }
}

fn link_component(linkers: &Linkers, component: &Component) -> Result<Linked, CompileError> {
    linkers.components.instantiate_pre(component).map(Linked::Component).map_err(|error| {
        let missing = missing_imports(component, &linkers.machine.engine);
        let reason = if missing.is_empty() {
            // All names are right, so a type is wrong. Wasmtime's message says which.
            format!("{error:#}; its imports have the right names and another shape than in wit/")
        } else {
            missing.join("; ")
        };
        CompileError::Link { reason }
    })
}

fn link_program(linkers: &Linkers, module: &Module) -> Result<Linked, CompileError> {
    let instance_pre = linkers.programs.instantiate_pre(module).map_err(|error| {
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
