//! Answers with the whole callback as the host shows it to guests.

use aviary_sdk::Toast;
use aviary_sdk::request;

aviary_sdk::export!(card_action: |_| Ok(Toast::info(request::raw()).into()));
