//! Sleeps longer than any deadline, in every handler. The setting `millis` sets the time; 4 s by default.

use std::time::Duration;

use aviary_sdk::PreviewReply;
use aviary_sdk::Toast;
use aviary_sdk::config;
use aviary_sdk::log;

aviary_sdk::export!(
    card_action: |_| { sleep(); Ok(Toast::success("slow").into()) },
    link_preview: |_| { sleep(); Ok(PreviewReply::titled("slow")) },
    legacy_card: |_| { sleep(); Ok(Toast::success("slow").into()) },
    event: |_| { sleep(); Ok(()) },
);

fn sleep() {
    // A test that waits for this line knows that the call is under way.
    log::info("slow begins");
    let millis =
        config::get("millis").ok().flatten().and_then(|text| text.parse().ok()).unwrap_or(4000);
    std::thread::sleep(Duration::from_millis(millis));
}
