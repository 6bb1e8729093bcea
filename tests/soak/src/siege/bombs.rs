//! Small plugins that cost a compiler minutes and gigabytes, dropped and deleted.

use std::time::Duration;

use aviary_e2e::artifacts;

use crate::siege::Target;

/// Time that each of them stays in the folder, and the pause without one.
const THERE_FOR: Duration = Duration::from_secs(3);
/// File name of the plugin. It is deleted in the middle of its compilation.
const FILE: &str = "bomb.wasm";
/// Number of locals that are read behind every join, and of joins: a compiler that tracks each local behind each join stores
/// their product.
const LOCALS: usize = 2000;
const JOINS: usize = 8000;
/// Id of the section of a component that holds a core module.
const CORE_MODULE: u8 = 1;
/// The opcode `end`.
const END: u8 = 0x0b;

/// Drops a plugin, and deletes it before it is compiled.
pub(super) async fn dropped(target: &Target<'_>) -> anyhow::Result<()> {
    let sound = std::fs::read(artifacts::guest("counter")?)?;
    for number in 0_u32.. {
        target.ledger.attempt("compile bombs");
        let bomb = bomb(&sound, number);
        std::fs::write(target.running.plugin_file(FILE), bomb)?;
        tokio::time::sleep(THERE_FOR).await;
        clear(target)?;
        tokio::time::sleep(THERE_FOR).await;
    }
    Ok(())
}

/// Removes the plugin's file.
pub(super) fn clear(target: &Target<'_>) -> anyhow::Result<()> {
    match std::fs::remove_file(target.running.plugin_file(FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Adds one more module to a sound component. `number` makes every file different, so that no cache knows it.
fn bomb(sound: &[u8], number: u32) -> Vec<u8> {
    let module = module(number);
    let mut bomb = sound.to_vec();
    bomb.push(CORE_MODULE);
    bomb.extend(length(module.len()));
    bomb.extend(module);
    bomb
}

/// Builds a module with one function that reads all its locals behind all its joins.
fn module(number: u32) -> Vec<u8> {
    let mut body = vec![1];
    body.extend(length(LOCALS));
    body.push(0x7f);
    for _ in 0..JOINS {
        // block; local.get 0; br_if 0; end
        body.extend([0x02, 0x40, 0x20, 0, 0x0d, 0, END]);
    }
    for local in 0..LOCALS {
        body.push(0x20);
        body.extend(length(local));
        body.push(0x1a);
    }
    // i32.const number; drop
    body.push(0x41);
    body.extend(length((number % 64) as usize));
    body.extend([0x1a, END]);
    let mut code = vec![1];
    code.extend(length(body.len()));
    code.extend(body);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, section) in [(1, vec![1, 0x60, 0, 0]), (3, vec![1, 0]), (10, code)] {
        module.push(id);
        module.extend(length(section.len()));
        module.extend(section);
    }
    module
}

/// Encodes a number as LEB128: seven bits per byte.
fn length(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
