//! Observed behaviour of the official SDKs when connecting fails, and the host's behaviour: the same, or better. These tests need
//! no SDK; `referees` repeats them with all three.

use std::collections::BTreeSet;

use anyhow::ensure;
use aviary_e2e::matrix;

use crate::referees::connecting;
use crate::referees::contestant::Contestant;
use crate::referees::surprises;

/// Captured cases with more than one condition, and the scenario that covers each.
const STORIES: [(&str, &str); 5] = [
    ("ReconnectCount=0, connect ok, server close", "closed, then 502, ReconnectCount 0"),
    (
        "ReconnectCount=2, connect ok, server close 1001, then 502s",
        "closed, then 502 three times, ReconnectCount 2",
    ),
    (
        "connected, closed, discovery returns client error on reconnect",
        "closed, then refused for good",
    ),
    ("node bad appid", "an app id that is not cli_ and 16 hex digits"),
    // Covered by the scenarios of pongs.
    ("PingInterval=1 then pong payload {}", ""),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_reads_codes_and_headers_as_it_should() -> anyhow::Result<()> {
    let wrong = surprises(&connecting()?, &[Contestant::Aviary]).await?;
    ensure!(wrong.is_empty(), "{} surprises:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn every_captured_case_is_repeated() -> anyhow::Result<()> {
    let told: BTreeSet<_> = STORIES.iter().map(|(case, _)| *case).collect();
    let left: Vec<_> = matrix::stories()?
        .into_iter()
        .filter(|case| *case != "how" && !told.contains(case))
        .collect();
    ensure!(left.is_empty(), "no scenario repeats {left:?}");
    let names: BTreeSet<_> =
        connecting()?.iter().map(|scenario| scenario.name().to_owned()).collect();
    for (case, scenario) in STORIES.iter().filter(|(_, scenario)| !scenario.is_empty()) {
        ensure!(names.contains(*scenario), "{case:?} is to be told by {scenario:?}");
    }
    Ok(())
}
