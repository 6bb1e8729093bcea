//! Waiting for what can only be asked about: a file, a process, a page. What the host logs and what the platform sees is waited
//! for by `Log` and `Platform`, which are told.

use std::time::Duration;

use anyhow::Context as _;

use crate::PATIENCE;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something, and fails with `what` if there is nothing for [`PATIENCE`]. A look that fails ends the wait.
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

/// Looks until it is true.
pub async fn eventually_is(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    eventually(what, async || Ok(look().await?.then_some(()))).await
}
