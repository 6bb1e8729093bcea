//! Every attack that once worked, all of them at once, against one host that healthy people use. The host keeps answering,
//! gives nothing away, and has no more of the machine afterwards than it had before.
//!
//! Each attack comes from loopback addresses of its own, as strangers would, so that a limit on what one client may take
//! does not meet the healthy people.

mod bodies;
mod bombs;
mod connections;
mod files;
mod healthy;
mod ledger;
mod pages;
mod people;
mod residue;
mod seals;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aviary_e2e::host::HostProcess;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::json;

use crate::clicks::p99;
use crate::siege::healthy::Healthy;
use crate::siege::ledger::Ledger;
use crate::siege::residue::Peak;
use crate::siege::residue::Residue;

pub use crate::siege::ledger::SiegeReport;

/// Log level of the host: each callback has a line, which may hold text of strangers.
const LEVEL: &str = "info";
/// Clicks of the healthy people before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// Lines of the log that are shown when a siege cannot go on.
const LINES_SHOWN: usize = 60;
/// The plugin that healthy and hostile people share. The button's value says what it does.
const SHARED: &str = "as-asked";
/// The plugin whose buttons are sealed.
const SEALING: &str = "seals";

/// Duration of a siege.
#[derive(Clone, Copy, Debug)]
pub struct SiegeSize {
    /// Time with healthy people alone.
    pub quiet: Duration,
    /// Time with healthy people and every attack.
    pub attack: Duration,
}

impl SiegeSize {
    /// The duration that a release has to pass.
    pub fn full() -> Self {
        Self { quiet: Duration::from_secs(60), attack: Duration::from_secs(300) }
    }

    /// The duration that every change has to pass.
    pub fn small() -> Self {
        Self { quiet: Duration::from_secs(3), attack: Duration::from_secs(12) }
    }
}

/// The host under attack, as the attacks see it.
struct Target<'a> {
    running: &'a Running,
    webhook: SocketAddr,
    admin: SocketAddr,
    /// A value that the host has sealed itself.
    sealed: String,
    ledger: Ledger,
}

/// Runs a siege and returns its report.
pub(crate) async fn run(size: SiegeSize) -> anyhow::Result<SiegeReport> {
    let temporary = tempfile::tempdir()?;
    let mut running = setup(temporary.path())?.start().await?;
    let host = &running.host;
    let target = Target {
        running: &running,
        webhook: host.webhook().await?,
        admin: host.admin().await?,
        sealed: seals::genuine(&running).await?,
        ledger: Ledger::default(),
    };
    let healthy = Healthy::of(&running).await?;
    healthy.click_for(WARM_UP).await?;
    let quiet = healthy.click_for(size.quiet).await?;
    let before = Residue::of(host, temporary.path())?;
    let peak = Peak::default();
    let attacked = tokio::select! {
        watched = peak.watch(host) => {
            watched.with_context(|| format!("the host is gone; its log ends:\n{}", log_end(host)))?;
            anyhow::bail!("nobody watches the host any more");
        }
        ended = every_attack(&target) => anyhow::bail!("an attack ended: {ended:?}"),
        attacked = healthy.click_for(size.attack) => {
            attacked.with_context(|| format!("healthy people; the log ends:\n{}", log_end(host)))?
        }
    };
    files::clear(&target)?;
    bombs::clear(&target)?;
    let after = Residue::settled(host, temporary.path(), &before).await?;
    target.ledger.look_through(host.log());
    let report = SiegeReport {
        ok: false,
        attempts: target.ledger.attempts(),
        gave_way: target.ledger.gave_way(),
        callbacks: quiet.tally.sent + attacked.tally.sent,
        malformed: quiet.tally.malformed + attacked.tally.malformed,
        late: quiet.tally.late + attacked.tally.late,
        refused: quiet.refused + attacked.refused,
        max_answer_ms: attacked.tally.max_ms,
        quiet_p99_ms: p99(quiet.taken_ms),
        healthy_p99_ms: p99(attacked.taken_ms),
        memory_before: before.memory(),
        memory_peak: peak.of_the_host(),
        memory_peak_of_children: peak.of_children(),
        left_behind: after.beyond(&before),
        ready: host.wait_for_readyz(200).await.is_ok(),
        stopped_cleanly: false,
    };
    let stopped = running.host.terminate().await;
    let stopped_cleanly = stopped.is_ok_and(|exit| exit.status.success());
    Ok(SiegeReport { stopped_cleanly, ..report })
}

fn setup(temporary: &Path) -> anyhow::Result<Setup> {
    let buttons = json!({ "route": [
        { "action_name": "make" },
        { "action_name": "buy", "allow": { "sealed_only": true } },
    ] });
    let shared = json!({ "route": [{ "action_name": SHARED }] });
    let app = App::default().encrypted().connections(2).guest_with(SHARED, shared)?;
    let setup = Setup::new(app.guest_with(SEALING, buttons)?).set("log", "level", LEVEL);
    let setup = setup.set("journal", "path", "journal");
    Ok(setup.env("TMPDIR", temporary.to_string_lossy()))
}

fn log_end(host: &HostProcess) -> String {
    host.log().tail(LINES_SHOWN)
}

/// Runs all attacks until a file or a connection of the test itself fails.
async fn every_attack(target: &Target<'_>) -> anyhow::Result<()> {
    tokio::try_join!(
        connections::silent(target),
        connections::never_reading(target),
        bodies::unsigned_encrypted(target),
        bodies::nested(target),
        bodies::long(target),
        bodies::escaping(target),
        seals::forged(target),
        people::flood(target),
        people::crash(target),
        pages::from_another_site(target),
        files::special(target),
        bombs::dropped(target),
    )?;
    Ok(())
}
