//! Does what the button's name says: each name is one cell of the conformance table. `tests/conformance/` has the same plugin in
//! the other languages.
#![expect(clippy::print_stdout, reason = "one cell is about that")]

use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::hint::black_box;

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::CardTemplate;
use aviary_sdk::Event;
use aviary_sdk::Failure;
use aviary_sdk::InlinePreview;
use aviary_sdk::LegacyReply;
use aviary_sdk::PreviewReply;
use aviary_sdk::PreviewRequest;
use aviary_sdk::Toast;
use aviary_sdk::config;
use aviary_sdk::key_value::Bucket;
use aviary_sdk::key_value::KeyValueError;
use aviary_sdk::log;
use aviary_sdk::request;
use aviary_sdk::serde_json::json;

aviary_sdk::export!(
    card_action: on_click,
    link_preview: on_link,
    legacy_card: on_legacy,
    event: on_event,
);

fn on_click(action: CardAction) -> Result<CardReply, Failure> {
    let value = || action.action.value_json();
    let text = match action.action.name.as_deref() {
        Some("toast") => {
            return Ok(Toast::warning("toast")
                .with("zh_cn", "提示")
                .with("ja_jp", "トースト")
                .into());
        }
        Some("raw card") => {
            let elements = [json!({ "tag": "markdown", "content": "raw card" })];
            let card = json!({ "schema": "2.0", "body": { "elements": elements } });
            return Ok(CardReply::card(Card::Raw(card.to_string())));
        }
        Some("template card") => {
            let template = CardTemplate::new("AAqconformance").version("1.0.0");
            return Ok(CardReply::card(template.variables(&json!({ "who": "Ann" }))));
        }
        Some("form values") => action.action.form_value.clone().unwrap_or_default(),
        Some("text") => {
            let text = value()?["text"].as_str().unwrap_or_default().to_owned();
            return Ok(Toast::info(&text).with("zh_cn", &text).into());
        }
        Some("integers") => action.header.created_ms.to_string(),
        Some("1 MB payload") => {
            value()?["text"].as_str().unwrap_or_default().chars().count().to_string()
        }
        Some("failure") => return Err(Failure::user("failure")),
        Some("trap") => panic!("trap"),
        Some("crash") => panic!("the reason of a crash"),
        Some("half an emoji") => String::from_utf8_lossy(&"cut 😀".as_bytes()[..5]).into_owned(),
        Some("random") => RandomState::new().hash_one("").to_string(),
        Some("print") => {
            println!("printed 日志");
            "printed".to_owned()
        }
        Some("time zone") => "none".to_owned(),
        Some("endless loop") => loop {
            black_box(());
        },
        Some("oversized allocation") => black_box(vec![1_u8; 512 << 20]).len().to_string(),
        Some("logging") => {
            log::warn("logged 日志");
            "logged".to_owned()
        }
        Some("key-value") => keep().map_err(|error| Failure::internal(format!("{error:?}")))?,
        Some("settings") => config::get("greeting").ok().flatten().unwrap_or_default(),
        Some("remaining time") => request::remaining().as_millis().to_string(),
        _ => return Err(Failure::internal("an unknown button")),
    };
    Ok(Toast::info(text).into())
}

fn keep() -> Result<String, KeyValueError> {
    let bucket = Bucket::open()?;
    bucket.set("键", "kept 日志")?;
    bucket.set("sum", "40")?;
    let sum = bucket.increment("sum", 2)?;
    Ok(format!("{} {sum}", bucket.get_text("键")?.unwrap_or_default()))
}

fn on_link(request: PreviewRequest) -> Result<PreviewReply, Failure> {
    Ok(InlinePreview::new(&request.url).with("zh_cn", "链接").into())
}

fn on_legacy(action: CardAction) -> Result<LegacyReply, Failure> {
    Ok(Toast::success(&action.operator.open_id).into())
}

fn on_event(event: Event) -> Result<(), Failure> {
    log::info(&event.body);
    Ok(())
}
