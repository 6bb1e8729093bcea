//! A module that is expensive to compile must cost only its own plugin: bounded memory, bounded time, doors open.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::eventually::eventually;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::host::Compiler;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use tempfile::TempDir;

/// Memory limit in bytes of a compiler, in the tests that wait for its end.
const MEMORY: u64 = 256 << 20;
/// Memory of everything but the compilers: a host with one plugin, in a build that is not optimised.
const HOST_MEMORY: u64 = 400 << 20;
/// Compilers at once: three for short compilations and one for a long one.
const AT_ONCE: usize = 4;
/// Time between two looks at the processes.
const LOOK: Duration = Duration::from_millis(20);
/// Time limit in seconds that no compilation reaches on any machine.
const WITHOUT_END: u64 = 10_000;

/// Opcodes; the second byte of `BLOCK` is the type of a block without a result.
const BLOCK: [u8; 2] = [0x02, 0x40];
const LOOP: [u8; 2] = [0x03, 0x40];
const END: u8 = 0x0b;
const FIRST_LOCAL_BR_IF_0: [u8; 4] = [0x20, 0, 0x0d, 0];
const LOCAL_GET: u8 = 0x20;
const DROP: u8 = 0x1a;
const I32: u8 = 0x7f;

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb128(content.len()), content.to_vec()].concat()
}

/// Builds a command of WASI preview 1: one function, `_start`, with that many locals and that body.
fn command(locals: usize, body: &[u8]) -> Vec<u8> {
    let code = [vec![1], leb128(locals), vec![I32], body.to_vec(), vec![END]].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(7, b"\x01\x06_start\0\0"),
        section(10, &[vec![1], leb128(code.len()), code].concat()),
    ]
    .concat()
}

/// Reads each local behind all joins, so that each of them is a value of each block: 25 million values for 70 KB.
fn many_joins(count: usize) -> Vec<u8> {
    let join = [&BLOCK[..], &FIRST_LOCAL_BR_IF_0, &[END]].concat();
    let reads = (0..count).flat_map(|local| [vec![LOCAL_GET], leb128(local), vec![DROP]].concat());
    let body = join.repeat(count).into_iter().chain(reads).collect::<Vec<_>>();
    command(count, &body)
}

fn nested_loops(depth: usize) -> Vec<u8> {
    command(1, &[LOOP.repeat(depth), vec![END; depth]].concat())
}

/// Sets up a host with one healthy plugin and one compiler thread.
fn host(memory: u64, seconds: u64) -> anyhow::Result<Setup> {
    let app = App::default().component("answer", artifacts::guest("version-a")?, None);
    Ok(limited(app, memory, seconds))
}

fn limited(app: App, memory: u64, seconds: u64) -> Setup {
    Setup::new(app.webhook_only())
        .set("guests", "compile_threads", 1)
        .set("guests", "compile_memory_bytes", memory)
        .set("guests", "compile_secs", seconds)
}

/// Starts a host that has been compiling a bomb for longer than a short compilation takes.
async fn host_with_bomb() -> anyhow::Result<(Running, Compiler)> {
    let running = host(16 << 30, WITHOUT_END)?.start().await?;
    no_compiler(&running).await?;
    drop_bytes(&running, "bomb", &nested_loops(300_000))?;
    let compiler = some_compiler(&running).await?;
    Ok((running, compiler))
}

fn drop_bytes(running: &Running, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    Ok(fs::write(running.plugin_file(&format!("{name}.wasm")), bytes)?)
}

async fn some_compiler(running: &Running) -> anyhow::Result<Compiler> {
    let first = async || Ok(running.host.compilers()?.first().copied());
    eventually("something is compiled in a child process", first).await
}

/// Waits until all compilers have ended. A compiler that has answered may still be writing its code to disk.
async fn no_compiler(running: &Running) -> anyhow::Result<()> {
    for compiler in running.host.compilers()? {
        has_ended(compiler).await?;
    }
    Ok(())
}

async fn has_ended(compiler: Compiler) -> anyhow::Result<()> {
    eventually_is(&format!("{compiler:?} has ended"), async || Ok(!compiler.is_running())).await
}

/// The host's refusal of a bomb.
struct Refusal {
    reason: String,
    /// Peak memory in bytes of the host and its compilers together.
    memory: u64,
    /// True if a compiler was seen.
    compiled: bool,
}

async fn refusal(running: &Running, name: &str, bomb: &[u8]) -> anyhow::Result<Refusal> {
    no_compiler(running).await?;
    drop_bytes(running, name, bomb)?;
    let plugin = [("plugin", name)];
    let refused = running.host.log().wait_for(events::PLUGIN_REFUSED, &plugin);
    let mut refused = std::pin::pin!(refused);
    let (mut memory, mut compiled) = (0, false);
    loop {
        let compilers = running.host.compilers()?;
        compiled |= !compilers.is_empty();
        let theirs: u64 = compilers.into_iter().map(Compiler::memory).sum();
        memory = memory.max(running.host.memory()? + theirs);
        tokio::select! {
            line = &mut refused => {
                let reason = line?.text_of("reason").to_owned();
                return Ok(Refusal { reason, memory, compiled });
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[tokio::test]
async fn what_takes_too_much_memory_is_refused_in_words() -> anyhow::Result<()> {
    let running = host(MEMORY, WITHOUT_END)?.start().await?;
    let bomb = many_joins(5000);
    let Refusal { reason, memory, .. } = refusal(&running, "bomb", &bomb).await?;
    ensure!(reason.contains("guests.compile_memory_bytes"), "{reason}");
    ensure!(reason.contains("the file is the reason"), "{reason}");
    ensure!(memory < HOST_MEMORY + MEMORY, "{memory} bytes");
    let again = refusal(&running, "again", &bomb).await?;
    ensure!(again.reason == reason && !again.compiled, "the same file was compiled once more");
    ensure!(running.toast("b").await? == "a");
    Ok(())
}

#[tokio::test]
async fn what_takes_too_much_time_is_refused_in_words() -> anyhow::Result<()> {
    let running = host(16 << 30, 2)?.start().await?;
    let Refusal { reason, .. } = refusal(&running, "bomb", &nested_loops(300_000)).await?;
    ensure!(reason.contains("2 s of processor time, which is guests.compile_secs"), "{reason}");
    ensure!(reason.contains("the file is the reason"), "{reason}");
    ensure!(running.toast("b").await? == "a");
    Ok(())
}

#[tokio::test]
async fn a_healthy_plugin_goes_live_while_bombs_are_compiled() -> anyhow::Result<()> {
    let (running, bomb) = host_with_bomb().await?;
    for number in 1..AT_ONCE - 1 {
        drop_bytes(&running, &format!("bomb-{number}"), &nested_loops(300_000 + number))?;
    }
    running.drop_guest("version-b", "answer")?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
    ensure!(bomb.is_running(), "the bomb had ended, so nothing was overtaken");
    ensure!(running.host.compilers()?.len() <= AT_ONCE);
    ensure!(running.toast("b").await? == "b");
    Ok(())
}

#[tokio::test]
async fn a_compiler_ends_with_its_file() -> anyhow::Result<()> {
    let (running, compiler) = host_with_bomb().await?;
    fs::remove_file(running.plugin_file("bomb.wasm"))?;
    has_ended(compiler).await?;

    no_compiler(&running).await?;
    drop_bytes(&running, "answer", &nested_loops(300_001))?;
    let compiler = some_compiler(&running).await?;
    running.drop_guest("version-b", "answer")?;
    has_ended(compiler).await?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
    ensure!(running.toast("b").await? == "b");
    Ok(())
}

#[tokio::test]
async fn a_compiler_ends_with_a_host_that_stops() -> anyhow::Result<()> {
    let (mut running, compiler) = host_with_bomb().await?;
    let exit = running.host.terminate().await?;
    ensure!(exit.status.success(), "{exit:?}");
    has_ended(compiler).await
}

#[tokio::test]
async fn a_compiler_ends_with_a_host_that_is_killed() -> anyhow::Result<()> {
    let (mut running, compiler) = host_with_bomb().await?;
    running.host.kill().await?;
    has_ended(compiler).await
}

struct Bomb {
    _folder: TempDir,
    file: PathBuf,
}

impl Bomb {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("bomb.wasm");
        fs::write(&file, nested_loops(300_000))?;
        Ok(Self { _folder: folder, file })
    }
}

#[tokio::test]
async fn the_doors_open_and_what_is_missing_is_named() -> anyhow::Result<()> {
    let bomb = Bomb::new()?;
    let app = App::default().component("answer", artifacts::guest("version-a")?, None).component(
        "bomb",
        bomb.file.clone(),
        None,
    );
    let setup = limited(app, 16 << 30, WITHOUT_END).set("guests", "start_wait_secs", 3);
    let running = setup.launch(false).await?;
    // On a busy machine the healthy plugin also needs more than that wait.
    running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
    let missing = running.host.wait_for_readyz(503).await?.text();
    ensure!(missing.contains("plugin bomb: still being loaded"), "{missing}");
    ensure!(!missing.contains("answer"), "{missing}");
    ensure!(running.toast("b").await? == "a");
    fs::remove_file(running.plugin_file("bomb.wasm"))?;
    running.host.wait_for_readyz(200).await.map(drop)
}

#[tokio::test]
async fn a_host_that_waits_for_plugins_can_be_stopped() -> anyhow::Result<()> {
    let bomb = Bomb::new()?;
    let app = App::default().component("bomb", bomb.file.clone(), None);
    let setup = limited(app, 16 << 30, WITHOUT_END).set("guests", "start_wait_secs", 3600);
    let mut running = setup.launch(false).await?;
    let compiler = some_compiler(&running).await?;
    let exit = running.host.terminate().await?;
    ensure!(exit.status.success(), "{exit:?}");
    has_ended(compiler).await
}
