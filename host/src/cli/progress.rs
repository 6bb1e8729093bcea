//! Messages on standard error about work that takes longer than a second.

use std::future::Future;
use std::time::Duration;

use crate::terminal;

/// Shorter waits need no explanation.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Waits for `work`, and prints `what` to standard error if it takes longer than a moment.
pub(super) async fn with_progress<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        // Cancel safe: the work is only lent.
        done = &mut work => return done,
        () = tokio::time::sleep(A_MOMENT) => terminal::notice!("aviary: {what} …"),
    }
    work.await
}
