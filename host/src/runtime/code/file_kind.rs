//! Tells the kinds of files apart by their bytes, and wraps core modules with component types as components.

use std::collections::BTreeSet;

use wasi_preview1_component_adapter_provider as preview_1;
use wasmparser::ExternalKind;
use wasmparser::Parser;
use wasmparser::Payload;
use wit_component::ComponentEncoder;

/// The first bytes of every WebAssembly file.
const MAGIC: &[u8; 4] = b"\0asm";
/// The first bytes of an ELF file. Wasmtime's compiled code is one.
const ELF_MAGIC: &[u8; 4] = b"\x7fELF";
/// Bytes 4 to 8 of a core module: version 1. A component has another number there.
const CORE_VERSION: &[u8; 4] = &[1, 0, 0, 0];
/// The prefix of the custom sections in which bindings store their types.
const COMPONENT_TYPE: &str = "component-type";
/// The function at which a command of WASI preview 1 starts.
pub(in crate::runtime) const START: &str = "_start";
/// Modules that are named in one refusal. A file built for another platform may import from dozens.
const MAX_NAMED: usize = 5;

/// The kinds of files that may be put into the plugins folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A component: a plugin or a command.
    Component,
    /// A core module that holds the types of a component, as bindings produce it before it is wrapped.
    TypedModule,
    /// A core module of WASI preview 1 that runs from start to end.
    CommandModule,
}

/// Why a file is of none of these kinds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileKindError {
    /// The file does not begin with the bytes of WebAssembly.
    #[error(
        "not WebAssembly: the file does not begin with \\0asm (is it text, or a half-written file?)"
    )]
    NotWasm,
    /// Machine code, which would run with the rights of the host.
    #[error(
        "compiled code (a .cwasm or another ELF file), which is never taken from a folder: drop the .wasm that it was made of"
    )]
    CompiledCode,
    /// The file begins as WebAssembly and is broken.
    #[error("does not compile: {0}")]
    Broken(String),
    /// A core module that is neither a plugin nor a command.
    #[error("a core WebAssembly module that is no plugin: {0}")]
    BareModule(String),
    /// The core module has component types and cannot be wrapped.
    #[error("a core WebAssembly module that cannot be made a component: {0}")]
    NotWrapped(String),
}

/// Checks the first bytes, before a compiler is started for the file.
pub(in crate::runtime) fn begins_as_wasm(bytes: &[u8]) -> Result<(), FileKindError> {
    match bytes.get(..8) {
        Some(head) if head.starts_with(MAGIC) => Ok(()),
        _ if bytes.starts_with(ELF_MAGIC) => Err(FileKindError::CompiledCode),
        _ => Err(FileKindError::NotWasm),
    }
}

impl FileKind {
    /// Reads as much of the file as is needed to tell its kind.
    pub fn of(bytes: &[u8]) -> Result<Self, FileKindError> {
        begins_as_wasm(bytes)?;
        if bytes[4..8] == *CORE_VERSION {
            Outline::read(bytes)?.form()
        } else {
            Ok(Self::Component)
        }
    }

    /// Returns the words for people and for `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::TypedModule => "core module with a component type",
            Self::CommandModule => "WASI preview 1 command",
        }
    }
}

/// Wraps a core module with component types as a component.
pub(in crate::runtime) fn wrapped(bytes: &[u8]) -> Result<Vec<u8>, FileKindError> {
    // Bindings can be used in a program with a `main` too.
    let adapter = if Outline::read(bytes)?.has_start {
        preview_1::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        preview_1::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    ComponentEncoder::default()
        .module(bytes)
        .and_then(|encoder| {
            // A module with component types may have a `main` too.
            encoder.adapter(preview_1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)
        })
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| FileKindError::NotWrapped(format!("{error:#}")))
}

/// The properties of a core module that decide its kind.
#[derive(Debug, Default)]
struct Outline {
    has_types: bool,
    has_start: bool,
    imports_from: BTreeSet<String>,
}

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, FileKindError> {
        let broken =
            |error: wasmparser::BinaryReaderError| FileKindError::Broken(error.to_string());
        let mut outline = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(broken)? {
                Payload::CustomSection(section) => {
                    outline.has_types |= section.name().starts_with(COMPONENT_TYPE);
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        outline.imports_from.insert(import.map_err(broken)?.module.to_owned());
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export.map_err(broken)?;
                        outline.has_start |=
                            export.kind == ExternalKind::Func && export.name == START;
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    fn form(&self) -> Result<FileKind, FileKindError> {
        if self.has_types {
            return Ok(FileKind::TypedModule);
        }
        let foreign: Vec<_> = self
            .imports_from
            .iter()
            .filter(|module| *module != preview_1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME)
            .collect();
        if !foreign.is_empty() {
            let more = if foreign.len() > MAX_NAMED { ", …" } else { "" };
            let named: Vec<_> =
                foreign.iter().take(MAX_NAMED).map(|name| format!("{name:?}")).collect();
            return Err(FileKindError::BareModule(format!(
                "it imports from {}{more}, and a module without component types may import from \"wasi_snapshot_preview1\" alone; build it as a component (for Rust: --target wasm32-wasip2), or as a command of WASI preview 1",
                named.join(", ")
            )));
        }
        if self.has_start {
            return Ok(FileKind::CommandModule);
        }
        Err(FileKindError::BareModule(
            "it has neither the types of a component in it (build it with wit-bindgen, or for wasm32-wasip2) nor a _start to run as a command (build a program, not a library)".to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one import from each of these and one exported function of each of those names.
    fn module(imports: &[&str], exports: &[&str], custom: Option<&str>) -> Vec<u8> {
        use wasm_encoder::CodeSection;
        use wasm_encoder::CustomSection;
        use wasm_encoder::EntityType;
        use wasm_encoder::ExportKind;
        use wasm_encoder::ExportSection;
        use wasm_encoder::Function;
        use wasm_encoder::FunctionSection;
        use wasm_encoder::ImportSection;
        use wasm_encoder::Module;
        use wasm_encoder::TypeSection;

        let (mut types, mut functions, mut code) =
            (TypeSection::new(), FunctionSection::new(), CodeSection::new());
        let (mut imported, mut exported) = (ImportSection::new(), ExportSection::new());
        types.ty().function([], []);
        for from in imports {
            imported.import(from, "f", EntityType::Function(0));
        }
        for (index, name) in (imports.len() as u32..).zip(exports) {
            functions.function(0);
            exported.export(name, ExportKind::Func, index);
            let mut empty = Function::new([]);
            empty.instructions().end();
            code.function(&empty);
        }
        let mut module = Module::new();
        module.section(&types).section(&imported).section(&functions);
        module.section(&exported).section(&code);
        if let Some(name) = custom {
            module.section(&CustomSection { name: name.into(), data: (&[]).into() });
        }
        module.finish()
    }

    #[test]
    fn a_file_is_told_by_its_bytes() {
        let of = |bytes: &[u8]| FileKind::of(bytes);
        assert!(matches!(of(b""), Err(FileKindError::NotWasm)));
        assert!(matches!(of(b"\0as"), Err(FileKindError::NotWasm)));
        assert!(matches!(of(b"\x7fELF\x02\x01"), Err(FileKindError::CompiledCode)));
        assert!(matches!(of(b"\0asm\x01\0\0\0\xff"), Err(FileKindError::Broken(_))));
        assert!(matches!(of(b"\0asm\x0d\0\x01\0"), Ok(FileKind::Component)));
        let command = module(&["wasi_snapshot_preview1"], &["_start"], None);
        assert!(matches!(of(&command), Ok(FileKind::CommandModule)));
        let typed = module(&["lark:callback/request@0.1.0"], &["x"], Some("component-type:x"));
        assert!(matches!(of(&typed), Ok(FileKind::TypedModule)));
    }

    #[test]
    fn what_is_no_plugin_is_told_what_it_lacks() {
        let words = |bytes: &[u8]| FileKind::of(bytes).unwrap_err().to_string();
        assert!(words(&module(&[], &["add"], None)).contains("a _start to run as a command"));
        let browser = words(&module(&["wbg", "env"], &["_start"], None));
        assert!(browser.contains(r#"it imports from "env", "wbg", and"#), "{browser}");
        let many: Vec<_> = ["a", "b", "c", "d", "e", "f"].into();
        assert!(words(&module(&many, &["_start"], None)).contains(r#""e", …, and"#));
    }
}
