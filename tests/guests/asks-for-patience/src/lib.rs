//! Sets a `still_working` text in its plugin-info, and then sleeps: a second for a button or a link. Its reply has a toast and a
//! card, or a title.

use std::time::Duration;

use aviary_sdk::Card;
use aviary_sdk::CardReply;
use aviary_sdk::Info;
use aviary_sdk::PreviewReply;
use aviary_sdk::Toast;

/// Longer than the deadline of the tests that use it.
const A_WHILE: Duration = Duration::from_secs(1);
const CARD: &str = r#"{"schema":"2.0","body":{"elements":[{"tag":"markdown","content":"done"}]}}"#;

aviary_sdk::export!(
    card_action: |_| {
        std::thread::sleep(A_WHILE);
        Ok(CardReply { toast: Some(Toast::success("done")), card: Some(Card::Raw(CARD.to_owned())) })
    },
    link_preview: |_| {
        std::thread::sleep(A_WHILE);
        Ok(PreviewReply::titled("done"))
    },
    info: || Info::new("asks-for-patience", "1.0.0")
        .still_working(Toast::warning("Asking HR").with("zh_cn", "正在询问人事")),
);
