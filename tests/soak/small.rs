//! The soak at a size that every change can bear. Times are not judged here: the build is not optimised, and other tests
//! run beside it.

use anyhow::ensure;
use aviary_soak::Size;

#[tokio::test(flavor = "multi_thread")]
async fn the_promises_hold_for_a_while() -> anyhow::Result<()> {
    let report = aviary_soak::run(Size::small()).await?;
    let printed = serde_json::to_string_pretty(&report)?;
    ensure!(report.kept_its_promises(), "{printed}");
    Ok(())
}
