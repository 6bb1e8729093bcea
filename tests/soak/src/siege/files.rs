//! Special files in the plugins folder: pipes, devices, sockets, links, folders, and a file that grows.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use aviary_e2e::artifacts;
use rustix::fs::CWD;
use rustix::fs::Mode;

use crate::siege::Target;

/// Time that each file stays in the folder: the host looks into it every two seconds.
const THERE_FOR: Duration = Duration::from_millis(2500);
/// Prefix of the files' names.
const PREFIX: &str = "siege-";
/// A sidecar that reads a plugin's secret from a pipe, and claims no button that others use.
const SECRET_FROM_A_PIPE: &str =
    "[settings]\nkey = { file = \"siege-pipe\" }\n\n[[route]]\naction_name = \"siege\"\n";

/// Puts one kind of special file after the other into the folder.
pub(super) async fn special(target: &Target<'_>) -> anyhow::Result<()> {
    let sound = artifacts::guest("counter")?;
    for number in 0_usize.. {
        target.ledger.attempt("special files");
        place(target, &sound, number)?;
        tokio::time::sleep(THERE_FOR).await;
        clear(target)?;
    }
    Ok(())
}

/// Removes all special files.
pub(super) fn clear(target: &Target<'_>) -> anyhow::Result<()> {
    let folder = file(target, "");
    for entry in std::fs::read_dir(folder.parent().context("a file has a folder")?)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn place(target: &Target<'_>, sound: &Path, number: usize) -> anyhow::Result<()> {
    let (plugin, sidecar) = (file(target, "it.wasm"), file(target, "it.toml"));
    match number % 8 {
        0 => pipe(&plugin)?,
        1 => {
            pipe(&sidecar)?;
            std::fs::copy(sound, plugin)?;
        }
        2 => symlink("/dev/zero", plugin)?,
        3 => {
            symlink("/dev/zero", &sidecar)?;
            std::fs::copy(sound, plugin)?;
        }
        4 => {
            pipe(&file(target, "pipe"))?;
            // One reader of the pipe for each I/O thread of a small machine.
            for name in ["it", "other", "third", "fourth"] {
                std::fs::write(file(target, &format!("{name}.toml")), SECRET_FROM_A_PIPE)?;
                std::fs::copy(sound, file(target, &format!("{name}.wasm")))?;
            }
        }
        5 => drop(UnixListener::bind(plugin)?),
        6 => std::fs::create_dir(plugin)?,
        _ => grow(&plugin)?,
    }
    Ok(())
}

fn pipe(path: &Path) -> anyhow::Result<()> {
    Ok(rustix::fs::mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// Makes a sparse file that is larger than any plugin may be and takes no room on the disk.
fn grow(path: &Path) -> anyhow::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(b"\0asm\x0d\0\x01\0")?;
    Ok(file.set_len(1 << 40)?)
}

fn file(target: &Target<'_>, name: &str) -> PathBuf {
    target.running.plugin_file(&format!("{PREFIX}{name}"))
}
