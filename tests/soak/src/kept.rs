//! Values that plugins store, on a host that is killed while they write: acknowledged writes survive, and the file opens every
//! time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use aviary_e2e::PATIENCE;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use futures_util::future::join_all;
use serde_json::Value;
use serde_json::json;

/// Concurrent writers, each with a counter of its own. One commit holds writes of several of them.
const WRITERS: usize = 8;
/// Maximum writes between two kills: some kills hit the first commit after the start, others a much later one.
const MOST_WRITES: u64 = 120;
/// Makes the number of writes differ between the rounds of a run, but not between runs.
const STRIDE: u64 = 37;

/// Counts of this part.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) kills: usize,
    pub(crate) writes: u64,
    pub(crate) lost: usize,
}

/// The highest acknowledged value of each counter.
type Acknowledged = Arc<Vec<AtomicU64>>;

pub(crate) async fn run(kills: usize) -> anyhow::Result<Kept> {
    let sidecar = json!({ "grants": { "key_value": { "keys": 1_000_000, "bytes": 256 << 20 } } });
    let app = App::default().webhook_only().guest_with("keeps", sidecar)?;
    let mut running = Setup::new(app).start().await?;
    let acknowledged: Acknowledged = Arc::new((0..WRITERS).map(|_| AtomicU64::new(0)).collect());
    let mut kept = Kept { kills, ..Kept::default() };
    for round in 0..kills as u64 {
        let address = running.webhook().await?;
        let wanted = total(&acknowledged) + 1 + (round * STRIDE) % MOST_WRITES;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_on(address, writer, Arc::clone(&acknowledged))))
            .collect();
        let enough = async {
            while total(&acknowledged) < wanted {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.context("the guests write nothing")?;
        // The kill comes while all writers have calls under way.
        running.host.kill().await?;
        join_all(writers).await;
        running.restart().await.context("the host does not start again")?;
        let address = running.webhook().await?;
        for (writer, told) in acknowledged.iter().enumerate() {
            let told_then = told.load(Ordering::Relaxed);
            let there = add(address, writer, 0).await?.context("a counter that is none")?;
            let asked = json!({ "do": "get", "key": text_key(writer, told_then) });
            let text = ask(address, &asked).await?;
            let has_text = told_then == 0 || text == format!("Some(\"{told_then}\")");
            // The host may have written one more value without acknowledging it.
            if !(told_then..=told_then + 1).contains(&there) || !has_text {
                kept.lost += 1;
            }
            told.store(there, Ordering::Relaxed);
            if there > told_then {
                set(address, writer, there).await?;
            }
        }
    }
    kept.writes = total(&acknowledged);
    Ok(kept)
}

fn total(acknowledged: &Acknowledged) -> u64 {
    acknowledged.iter().map(|told| told.load(Ordering::Relaxed)).sum()
}

/// Increments a counter, stores a text beside it, and continues when both are acknowledged, until the host is gone.
async fn write_on(address: SocketAddr, writer: usize, acknowledged: Acknowledged) {
    while let Ok(Some(sum)) = add(address, writer, 1).await
        && set(address, writer, sum).await.is_ok_and(|said| said == "set")
    {
        acknowledged[writer].store(sum, Ordering::Relaxed);
    }
}

async fn add(address: SocketAddr, writer: usize, by: u64) -> anyhow::Result<Option<u64>> {
    let said = ask(address, &json!({ "do": "add", "key": format!("n{writer}"), "by": by })).await?;
    Ok(said.parse().ok())
}

async fn set(address: SocketAddr, writer: usize, sum: u64) -> anyhow::Result<String> {
    let key = text_key(writer, sum);
    ask(address, &json!({ "do": "set", "key": key, "value": sum.to_string() })).await
}

fn text_key(writer: usize, sum: u64) -> String {
    format!("t{writer}/{sum}")
}

async fn ask(address: SocketAddr, asked: &Value) -> anyhow::Result<String> {
    let click = sender::click_with("b", asked.clone());
    Ok(sender::plain(click.to_string()).send(address).await?.toast())
}
