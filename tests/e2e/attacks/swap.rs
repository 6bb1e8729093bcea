//! Pages that an instance has written are swapped out while the instance is discarded: the next instance must not find their
//! content.
//!
//! These tests turn real swap on, which only root may, and page the host out themselves. Hosts of other tests that start at
//! the same time wipe memory the slower way, which does not change their results.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::PATIENCE;
use aviary_e2e::excuse;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// Size of the swap file, with room for all of a host's memory.
const SWAP_BYTES: usize = 256 << 20;
/// Bytes that the guest writes.
const WRITTEN: u64 = 4 << 20;
/// Duration of the call: long enough to turn swap on and page the host out, on a busy machine.
const CALL: Duration = Duration::from_secs(12);
/// Serialises the tests, because swap belongs to the whole machine.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Pages the anonymous memory of a process out, as the system does when memory is short.
const PAGE_OUT: &str = r#"
import ctypes, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PROCESS_MADVISE, MADV_PAGEOUT = 434, 440, 21
class Area(ctypes.Structure):
    _fields_ = [("begin", ctypes.c_void_p), ("length", ctypes.c_size_t)]
process = libc.syscall(PIDFD_OPEN, pid, 0)
assert process >= 0, ctypes.get_errno()
for line in open(f"/proc/{pid}/maps"):
    fields = line.split()
    if fields[1].startswith("rw") and len(fields) == 5:
        begin, end = (int(address, 16) for address in fields[0].split("-"))
        area = Area(begin, end - begin)
        libc.syscall(PROCESS_MADVISE, process, ctypes.byref(area), 1, MADV_PAGEOUT, 0)
"#;

/// A swap file. Swap is turned off when this is dropped, even if the test fails.
struct Swap {
    file: PathBuf,
    _folder: TempDir,
}

impl Swap {
    /// Prepares the file. Returns `None` where swap cannot be turned on.
    fn prepare() -> anyhow::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("swap");
        let swap = Self { file, _folder: folder };
        let zeros = vec![0; SWAP_BYTES];
        fs::write(&swap.file, zeros)?;
        let tried = swap.run("mkswap").and_then(|()| swap.on()).and_then(|()| swap.off());
        if let Err(error) = tried {
            excuse::skipped(&format!("swap cannot be turned on here: {error:#}"));
            return Ok(None);
        }
        Ok(Some(swap))
    }

    fn on(&self) -> anyhow::Result<()> {
        self.run("swapon")
    }

    fn off(&self) -> anyhow::Result<()> {
        self.run("swapoff")
    }

    fn run(&self, program: &str) -> anyhow::Result<()> {
        let output = Command::new(program).arg(&self.file).output().context(program.to_owned())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{program}: {said}");
        Ok(())
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // Swap is already off if the test reached its end.
        let _ = self.off();
    }
}

/// Returns true if the machine already uses swap for something else.
fn swaps_already() -> anyhow::Result<bool> {
    Ok(fs::read_to_string("/proc/swaps")?.lines().count() > 1)
}

async fn start() -> anyhow::Result<Running> {
    let sidecar = json!({ "settings": { "millis": CALL.as_millis().to_string() } });
    let app = App::default().guest_with("leaves-traces", sidecar)?.webhook_only();
    Setup::new(app).start().await
}

/// Clicks several times, because the next call need not get the memory of the previous one.
async fn nothing_is_found(running: &Running) -> anyhow::Result<()> {
    for _ in 0..3 {
        let found = running.toast("count").await?;
        ensure!(found == "0", "{found} bytes of another call");
    }
    Ok(())
}

async fn calls_ended(running: &Running) -> anyhow::Result<u64> {
    Ok(running.plugin("leaves-traces").await?["calls"].as_u64().unwrap_or_default())
}

/// Begins a call that fills its memory. It is answered long before it ends.
async fn fill(running: &Running) -> anyhow::Result<()> {
    running.deliver(&sender::click("fill")).await?;
    running.host.log().wait_for(events::PLUGIN_LOG, &[("text", "filled")]).await.map(drop)
}

fn page_out(running: &Running) -> anyhow::Result<()> {
    let id = running.host.id().to_string();
    let output = Command::new("python3").args(["-c", PAGE_OUT, &id]).output().context("python3")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let swapped = running.host.swapped_memory()?;
    ensure!(swapped > WRITTEN, "{swapped} bytes went out, so the attack was not tried");
    Ok(())
}

/// Waits until the call that filled its memory is over, and its instance is gone.
async fn wait_for_end(running: &Running, calls: u64) -> anyhow::Result<()> {
    let ended = async {
        while calls_ended(running).await? < calls {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(CALL + PATIENCE, ended).await.context("the call goes on")?
}

#[tokio::test]
async fn nothing_is_left_where_swap_was_on_before_the_start() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let Some(swap) = Swap::prepare()? else { return Ok(()) };
    swap.on()?;
    let running = start().await?;
    let warned = running.host.log().wait_for(events::MEMORY_MAY_BE_SWAPPED, &[]).await?;
    ensure!(warned.text_of("advice").contains("MemorySwapMax=0"), "{}", warned.text());
    fill(&running).await?;
    page_out(&running)?;
    wait_for_end(&running, 1).await?;
    nothing_is_found(&running).await
}

#[tokio::test]
async fn nothing_is_left_where_swap_comes_on_during_a_call() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let Some(swap) = Swap::prepare()? else { return Ok(()) };
    if swaps_already()? {
        excuse::skipped("this machine swaps already, so that swap cannot come on later");
        return Ok(());
    }
    let running = start().await?;
    ensure!(running.toast("count").await? == "0");
    fill(&running).await?;
    swap.on()?;
    page_out(&running)?;
    wait_for_end(&running, 2).await?;
    nothing_is_found(&running).await?;
    let warnings = running.host.log().lines(|line| line.is(events::SWAP_CAME_ON, &[]));
    ensure!(warnings.len() == 1, "{warnings:?}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_where_swap_came_and_went_during_a_call() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let Some(swap) = Swap::prepare()? else { return Ok(()) };
    if swaps_already()? {
        excuse::skipped("this machine swaps already, so that swap cannot come and go");
        return Ok(());
    }
    let running = start().await?;
    fill(&running).await?;
    swap.on()?;
    page_out(&running)?;
    wait_for_end(&running, 1).await?;
    // Turning swap off brings every page that was missed back into memory.
    swap.off()?;
    nothing_is_found(&running).await
}
