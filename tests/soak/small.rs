//! Runs the soak at a size that every change can bear. Speed is not judged here: the build is not optimised, and others may use
//! the machine at the same time.

use anyhow::ensure;
use aviary_soak::SiegeSize;
use aviary_soak::Size;
use serde::Serialize;
use tokio::sync::Mutex;

/// Tolerated share of late answers. A busy machine may stop everything for the half second that is left between deadline and
/// promise. A host that is late by its own fault is late for every plugin that makes it wait, a hundredth of the callbacks.
const LATE_SHARE: f64 = 0.001;
/// Serialises the tests, because each fills the machine: two at once on two cores would measure each other.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn the_promises_hold_for_a_while() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let report = aviary_soak::run(Size::small()).await?;
    is_as_promised(report.nothing_went_wrong(), report.late_share(), &report)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_at_once_gives_nothing_away() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    let report = aviary_soak::besiege(SiegeSize::small()).await?;
    is_as_promised(report.nothing_went_wrong(), report.late_share(), &report)
}

/// Asserts the result. The reason is printed behind the report, because readers look at the end of the output.
fn is_as_promised(
    nothing_went_wrong: bool,
    late_share: f64,
    report: &impl Serialize,
) -> anyhow::Result<()> {
    let report = serde_json::to_string_pretty(report)?;
    ensure!(nothing_went_wrong, "{report}\nthe report above counts something that must not happen");
    ensure!(
        late_share <= LATE_SHARE,
        "{report}\na share of {late_share:.4} of the answers was late, and {LATE_SHARE} may be"
    );
    Ok(())
}
