//! Limits a file's declarations: types, imports, functions, exports, elements and instances. A host keeps several times their
//! size in memory for each plugin besides its code. The compiler's own memory is limited by the system.

use wasmparser::Parser;
use wasmparser::Payload;

/// Bytes of all sections but code, data and custom ones. Python, the largest runtime, has less than one megabyte.
const MAX_BYTES: usize = 8 << 20;

/// Refuses a file that declares too much. A broken file passes: the compiler reports where it is broken.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut declared = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { return Ok(()) };
        declared += match &payload {
            // The sections inside a module or a component follow as payloads of their own.
            Payload::ModuleSection { .. }
            | Payload::ComponentSection { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::DataSection(_)
            | Payload::CustomSection(_) => 0,
            payload => payload.as_section().map_or(0, |(_, range)| range.len()),
        };
        if declared > MAX_BYTES {
            return Err(format!(
                "declares more than {MAX_BYTES} bytes of types, imports, functions, exports, elements and instances, which a host would keep in memory; the file is the reason: have its author make it smaller"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use wasm_encoder::CustomSection;
    use wasm_encoder::Module;
    use wasm_encoder::TypeSection;

    use super::*;

    fn module(types: u32) -> Module {
        let mut section = TypeSection::new();
        for _ in 0..types {
            section.ty().function([], []);
        }
        let mut module = Module::new();
        module.section(&section);
        module
    }

    #[test]
    fn declarations_are_counted_and_nothing_else() {
        // Each type takes three bytes.
        let most = u32::try_from(MAX_BYTES / 3).unwrap();
        let mut large = module(most - 10);
        large.section(&CustomSection { name: "notes".into(), data: vec![0; MAX_BYTES].into() });
        check(&large.finish()).unwrap();
        let refused = check(&module(most + 10).finish()).unwrap_err();
        assert!(refused.contains("declares more than 8388608 bytes"), "{refused}");
        check(b"\0asm\x01\0\0\0\xff").unwrap();
    }

    /// Makes a component of core modules.
    fn component(modules: &[&[u8]]) -> Vec<u8> {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        for module in modules {
            // Section 1, and its length as five bytes of seven bits each.
            let length = (0..5).map(|byte| {
                let bits = (module.len() >> (7 * byte)) as u8 & 0x7f;
                if byte == 4 { bits } else { bits | 0x80 }
            });
            component.push(1);
            component.extend(length);
            component.extend_from_slice(module);
        }
        component
    }

    #[test]
    fn modules_in_a_component_count_once() {
        let inner = module(u32::try_from(MAX_BYTES / 5).unwrap()).finish();
        check(&component(&[&inner])).unwrap();
        check(&component(&[&inner, &inner])).unwrap_err();
    }
}
