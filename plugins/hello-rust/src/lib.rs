//! Answers a button with a greeting for the user who touched it, shows a submitted form as it was filled in, and shows a link as
//! its host and path.

use aviary_sdk::card::{CardBuilder, CardHeader, HeaderColour};
use aviary_sdk::serde_json::{self, Map, Value};
use aviary_sdk::{
    CardAction, CardReply, Failure, InlinePreview, PreviewReply, PreviewRequest, Toast, log,
};

aviary_sdk::export!(card_action: on_click, link_preview: on_link);

fn on_click(action: CardAction) -> Result<CardReply, Failure> {
    log::info(format_args!("{} touched", action.action.tag));
    let mut card = CardBuilder::new()
        .header(CardHeader::new("Hello").colour(HeaderColour::Green))
        .markdown(format!("Touched by <at id={}></at>", action.operator.open_id));
    for (name, value) in form(&action)? {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        card = card.markdown(format!("**{name}**: {value}"));
    }
    let toast = Toast::success("Hello from Rust")
        .with("en_us", "Hello from Rust")
        .with("zh_cn", "来自 Rust 的问候");
    Ok(CardReply::card(card).with_toast(toast))
}

fn form(action: &CardAction) -> Result<Map<String, Value>, Failure> {
    match &action.action.form_value {
        Some(json) => serde_json::from_str(json).map_err(Failure::internal),
        None => Ok(Map::new()),
    }
}

fn on_link(request: PreviewRequest) -> Result<PreviewReply, Failure> {
    Ok(InlinePreview::new(title(&request.url)).into())
}

fn title(url: &str) -> String {
    let Some((_, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    match rest[..end].split_once('/') {
        Some((host, path)) => format!("{host} · /{path}"),
        None => format!("{} · /", &rest[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn a_link_is_shown_as_its_host_and_its_path() {
        assert_eq!(title("https://a.example/b/c?d=e"), "a.example · /b/c");
        assert_eq!(title("https://a.example"), "a.example · /");
        assert_eq!(title("not a link"), "not a link");
    }
}
