//! The soak at a size that every change can bear. How fast it is is not judged here: the build is not optimised, and
//! others may use the machine at the same time.

use anyhow::ensure;
use aviary_soak::SiegeSize;
use aviary_soak::Size;

/// A machine that others use may stop everything for the half second that is left between deadline and promise. A host
/// that is late by itself is late for every plugin that makes it wait, a hundredth of the callbacks.
const LATE_SHARE: f64 = 0.001;

#[tokio::test(flavor = "multi_thread")]
async fn the_promises_hold_for_a_while() -> anyhow::Result<()> {
    let report = aviary_soak::run(Size::small()).await?;
    let printed = serde_json::to_string_pretty(&report)?;
    ensure!(report.nothing_went_wrong(), "{printed}");
    ensure!(report.late_share() <= LATE_SHARE, "{printed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_at_once_gives_nothing_away() -> anyhow::Result<()> {
    let report = aviary_soak::besiege(SiegeSize::small()).await?;
    let printed = serde_json::to_string_pretty(&report)?;
    ensure!(report.nothing_went_wrong(), "{printed}");
    ensure!(report.late_share() <= LATE_SHARE, "{printed}");
    Ok(())
}
