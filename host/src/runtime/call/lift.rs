//! Converts the guest's records to the host's types, without checking them.

use crate::bindings::handlers::lark::callback::types;
use crate::callback::reply::Card;
use crate::callback::reply::InlinePreview;
use crate::callback::reply::LegacyReply;
use crate::callback::reply::RawReply;
use crate::callback::reply::Toast;
use crate::callback::reply::ToastKind;

pub(in crate::runtime) fn card_reply(reply: types::CardReply) -> RawReply {
    RawReply::Card { toast: reply.toast.map(toast), card: reply.card.map(Card::from) }
}

pub(in crate::runtime) fn preview_reply(reply: types::PreviewReply) -> RawReply {
    RawReply::Preview { inline: reply.inline.map(inline), card: reply.card.map(Card::from) }
}

pub(in crate::runtime) fn legacy_reply(reply: types::LegacyReply) -> RawReply {
    RawReply::Legacy(match reply {
        types::LegacyReply::Unchanged => LegacyReply::Unchanged,
        types::LegacyReply::Toast(wire) => LegacyReply::Toast(toast(wire)),
        types::LegacyReply::Card(card) => LegacyReply::Card(card.into()),
        types::LegacyReply::Custom(custom) => {
            LegacyReply::Custom { status: custom.status, body: custom.body }
        }
    })
}

/// Converts a toast, without checking it.
pub fn toast(toast: types::Toast) -> Toast {
    let kind = match toast.kind {
        types::ToastKind::Info => ToastKind::Info,
        types::ToastKind::Success => ToastKind::Success,
        types::ToastKind::Warning => ToastKind::Warning,
        types::ToastKind::Error => ToastKind::Error,
    };
    Toast { kind, content: toast.content, i18n: toast.i18n }
}

fn inline(inline: types::InlinePreview) -> InlinePreview {
    let urls = inline.urls.map_or_else(Vec::new, |urls| {
        let by_platform = [
            ("copy_url", urls.copy_url),
            ("ios", urls.ios),
            ("android", urls.android),
            ("pc", urls.pc),
            ("web", urls.web),
        ];
        by_platform.into_iter().filter_map(|(platform, url)| Some((platform, url?))).collect()
    });
    InlinePreview {
        title: inline.title,
        i18n_title: inline.i18n_title,
        image_key: inline.image_key,
        urls,
    }
}
