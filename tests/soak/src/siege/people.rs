//! People who exhaust a plugin that others need: by many slow clicks at once, and by making it crash.

use std::time::Duration;

use aviary_e2e::sender;
use futures_util::future::join_all;

use crate::siege::Target;
use crate::siege::connections::address;
use crate::siege::healthy;

/// Slow clicks of one person at once: more than a plugin may have under way.
const SLOW: usize = 70;
/// Crashes of one person at once, and the time between two such rounds: twenty in a second on an idle machine.
const CRASHES: usize = 5;
const BETWEEN_CRASHES: Duration = Duration::from_millis(250);

/// Keeps seventy slow calls of one person under way.
pub(super) async fn flood(target: &Target<'_>) -> anyhow::Result<()> {
    loop {
        let clicks = (0..SLOW).map(|number| async move {
            target.ledger.attempt("floods of one person");
            let body = healthy::click("ou_flood", "slow").to_string();
            let _ = sender::sealed(body).send_from(address(9, number), target.webhook).await;
        });
        join_all(clicks).await;
    }
}

/// Makes the plugin crash again and again, by clicks of one person.
pub(super) async fn crash(target: &Target<'_>) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(BETWEEN_CRASHES).await;
        let clicks = (0..CRASHES).map(|number| async move {
            target.ledger.attempt("crashes of one person");
            let body = healthy::click("ou_crash", "throw").to_string();
            let _ = sender::sealed(body).send_from(address(10, number), target.webhook).await;
        });
        join_all(clicks).await;
    }
}
