//! Claims one link pattern and one button for itself, and answers with its own name.

use aviary_sdk::Info;
use aviary_sdk::PreviewReply;
use aviary_sdk::Route;
use aviary_sdk::Toast;

aviary_sdk::export!(
    card_action: |_| Ok(Toast::info("routed").into()),
    link_preview: |_| Ok(PreviewReply::titled("routed")),
    info: || Info::new("routed", "1.2.3")
        .route(Route::default().action_name("mine"))
        .route(Route::default().url_pattern("https://git.example.com/*/pull/*")),
);
