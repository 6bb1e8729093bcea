//! Waits by polling, for conditions that announce nothing: files, processes, pages. For the host's log and the platform use `Log`
//! and `Platform`, which are notified.

use std::time::Duration;

use anyhow::Context as _;

use crate::PATIENCE;

/// Time between two polls.
const PAUSE: Duration = Duration::from_millis(10);

/// Polls until `look` finds something, and fails with `what` after [`PATIENCE`]. An error of `look` ends the wait.
pub async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.with_context(|| format!("not within {PATIENCE:?}: {what}"))?
}

/// Polls until the condition is true.
pub async fn eventually_is(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    eventually(what, async || Ok(look().await?.then_some(()))).await
}
