//! Gives the same answers as the handlers whose reply frames were captured from the official SDKs. The setting `click` selects
//! the answer: a toast without it, `nothing` or `card`.

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::CardTemplate;
use aviary_sdk::Failure;
use aviary_sdk::InlinePreview;
use aviary_sdk::LegacyReply;
use aviary_sdk::LinkUrls;
use aviary_sdk::PreviewReply;
use aviary_sdk::PreviewRequest;
use aviary_sdk::Toast;
use aviary_sdk::config;

aviary_sdk::export!(
    card_action: click,
    legacy_card: |_| Ok(LegacyReply::Unchanged),
    link_preview: preview,
    event: |_| Ok(()),
);

fn click(_: CardAction) -> Result<CardReply, Failure> {
    match config::get("click")?.as_deref() {
        Some("nothing") => Ok(CardReply::unchanged()),
        Some("card") => {
            let card = Card::Raw(r#"{"schema":"2.0","body":{"elements":[]}}"#.to_owned());
            Ok(CardReply { toast: None, card: Some(card) })
        }
        _ => Ok(Toast::success("已处理 ok").with("zh_cn", "已处理").with("en_us", "done").into()),
    }
}

fn preview(_: PreviewRequest) -> Result<PreviewReply, Failure> {
    let urls = LinkUrls {
        copy_url: Some("https://e/c".to_owned()),
        pc: Some("https://e/p".to_owned()),
        ios: None,
        android: None,
        web: None,
    };
    let inline = InlinePreview {
        title: Some("T".to_owned()),
        i18n_title: vec![("en_us".to_owned(), "T".to_owned())],
        image_key: Some("img_v3_x".to_owned()),
        urls: Some(urls),
    };
    let card = CardTemplate {
        id: "AAq".to_owned(),
        version_name: Some("1.0.0".to_owned()),
        variables: Some(r#"{"a":1}"#.to_owned()),
    };
    Ok(PreviewReply { inline: Some(inline), card: Some(Card::Template(card)) })
}
