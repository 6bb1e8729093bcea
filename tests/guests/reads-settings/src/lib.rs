//! Answers with the setting `greeting`.

use aviary_sdk::Toast;
use aviary_sdk::config;

aviary_sdk::export!(card_action: |_| {
    Ok(Toast::info(config::get("greeting")?.unwrap_or_else(|| "no greeting".to_owned())).into())
});
