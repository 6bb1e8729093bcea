//! Shows an issue's number in place of its link, and a card below the message. The example does not call the tracker's API:
//! everything it shows comes from the address.

use aviary_sdk::serde_json::json;
use aviary_sdk::{
    Card, Failure, Info, InlinePreview, LinkUrls, PreviewReply, PreviewRequest, Route,
};

aviary_sdk::export!(link_preview: on_link, info: describe);

const ISSUES: &str = "https://issues.example.com/browse/";

fn describe() -> Info {
    Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .route(Route::default().url_pattern(format!("{ISSUES}*")))
}

fn on_link(request: PreviewRequest) -> Result<PreviewReply, Failure> {
    let Some(key) = issue_key(&request.url) else {
        return Ok(PreviewReply::titled(request.url));
    };
    let inline = InlinePreview::new(format!("{key} · Issue"))
        .with("en_us", format!("{key} · Issue"))
        .with("zh_cn", format!("{key} · 工单"))
        .urls(LinkUrls::everywhere(format!("{ISSUES}{key}")));
    Ok(PreviewReply::from(inline).with_card(card(key)))
}

/// Finds `ABC-123` in `https://issues.example.com/browse/ABC-123?focus=7`.
fn issue_key(url: &str) -> Option<&str> {
    let key = url.strip_prefix(ISSUES)?.split(['?', '#', '/']).next()?;
    let (project, number) = key.split_once('-')?;
    let project_is_named =
        !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_uppercase());
    let number_is_one = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (project_is_named && number_is_one).then_some(key)
}

/// Builds a card of JSON 1.0: the platform documents nothing newer for previews.
fn card(key: &str) -> Card {
    let card = json!({
        "config": {"wide_screen_mode": true},
        "header": {"template": "blue", "title": {"tag": "plain_text", "content": key}},
        "elements": [{"tag": "markdown", "content": format!("[Open the issue]({ISSUES}{key})")}],
    });
    Card::Raw(card.to_string())
}

#[cfg(test)]
mod tests {
    use super::issue_key;

    #[test]
    fn only_issues_have_a_key() {
        assert_eq!(issue_key("https://issues.example.com/browse/ABC-123"), Some("ABC-123"));
        assert_eq!(issue_key("https://issues.example.com/browse/ABC-123?focus=7"), Some("ABC-123"));
        assert_eq!(issue_key("https://issues.example.com/browse/ABC-"), None);
        assert_eq!(issue_key("https://issues.example.com/projects/ABC"), None);
        assert_eq!(issue_key("https://example.com/browse/ABC-123"), None);
    }
}
