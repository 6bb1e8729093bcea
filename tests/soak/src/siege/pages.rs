//! Pages of other sites that send requests to the admin port from a browser on the host's own machine.

use std::time::Duration;

use aviary_e2e::http::Request;
use serde_json::json;

use crate::siege::SHARED;
use crate::siege::Target;
use crate::siege::connections::address;

/// Time between two attempts.
const PACE: Duration = Duration::from_millis(50);

/// Tries to roll a plugin back and to read the dashboard, with the headers that browsers send. No page of another site may change
/// anything, and no page whose own name resolves to this machine may read.
pub(super) async fn from_another_site(target: &Target<'_>) -> anyhow::Result<()> {
    let rebound = format!("rebound.example:{}", target.admin.port());
    let disguises = [
        vec![("Origin", "http://evil.example"), ("Content-Type", "text/plain")],
        vec![("Sec-Fetch-Site", "cross-site"), ("Content-Type", "text/plain")],
        vec![("Host", rebound.as_str()), ("Content-Type", "application/json")],
        vec![("Origin", "null"), ("Content-Type", "application/json")],
    ];
    let wish = json!({ "name": SHARED }).to_string();
    for number in 0_usize.. {
        tokio::time::sleep(PACE).await;
        let mut post = Request::post("/plugins/rollback", wish.clone());
        post.headers.clear();
        let mut read = Request::get("/dashboard.json");
        for (name, value) in &disguises[number % disguises.len()] {
            post = post.header(name, *value);
            if *name != "Content-Type" {
                read = read.header(name, *value);
            }
        }
        for (what, request) in [("changes", post), ("reads", read)] {
            target.ledger.attempt("pages from another site");
            let answer = request.send_from(address(11, number), target.admin).await;
            let done = answer.is_ok_and(|answer| (200..300).contains(&answer.status));
            let by_name = number % disguises.len() == 2;
            target
                .ledger
                .must_not("a page from elsewhere changes something", done && what == "changes");
            target.ledger.must_not("a page with a name of its own reads", done && by_name);
        }
    }
    Ok(())
}
