//! `PreviewRequest` and `PreviewReply`: the look of a link in a message.

use crate::Card;
use crate::InlinePreview;
use crate::LinkUrls;
use crate::PreviewReply;
use crate::PreviewRequest;

impl PreviewRequest {
    /// Returns true while the message with the link is still being typed. There is no message, chat or preview token then, and
    /// only the writer sees the answer.
    pub fn is_draft(&self) -> bool {
        self.location.preview_token.is_none()
    }
}

impl PreviewReply {
    /// Leaves the link as it is.
    pub fn none() -> Self {
        Self { inline: None, card: None }
    }

    /// Shows this title in place of the link.
    pub fn titled(title: impl Into<String>) -> Self {
        InlinePreview::new(title).into()
    }

    /// Shows a card below the message as well. The platform documents card JSON 1.0 and templates here, but not card JSON 2.0.
    #[must_use]
    pub fn with_card(mut self, card: impl Into<Card>) -> Self {
        self.card = Some(card.into());
        self
    }
}

impl Default for PreviewReply {
    fn default() -> Self {
        Self::none()
    }
}

impl From<InlinePreview> for PreviewReply {
    fn from(inline: InlinePreview) -> Self {
        Self { inline: Some(inline), card: None }
    }
}

impl InlinePreview {
    /// Shows this title in place of the link.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), i18n_title: Vec::new(), image_key: None, urls: None }
    }

    /// Adds the title for one locale, replacing an earlier one for the same locale. It beats the plain
    /// title. The locales are those of [`Toast::with`](crate::Toast::with), with `hi_in` and without
    /// `ms_my`.
    #[must_use]
    pub fn with(mut self, locale: impl Into<String>, title: impl Into<String>) -> Self {
        crate::translation::put(&mut self.i18n_title, locale.into(), title.into());
        self
    }

    /// Sets the small picture before the title, by the key that the platform gave when it was uploaded.
    #[must_use]
    pub fn image(mut self, image_key: impl Into<String>) -> Self {
        self.image_key = Some(image_key.into());
        self
    }

    /// Sets the target of a click and the address that copying the link copies.
    #[must_use]
    pub fn urls(mut self, urls: LinkUrls) -> Self {
        self.urls = Some(urls);
        self
    }
}

impl LinkUrls {
    /// Uses the same address on every device, and for copying.
    pub fn everywhere(url: impl Into<String>) -> Self {
        let url = Some(url.into());
        Self {
            copy_url: url.clone(),
            ios: url.clone(),
            android: url.clone(),
            pc: url.clone(),
            web: url,
        }
    }
}

impl Default for LinkUrls {
    /// Has no address of its own: a click follows the link as it was sent.
    fn default() -> Self {
        Self { copy_url: None, ios: None, android: None, pc: None, web: None }
    }
}

#[cfg(test)]
mod tests {
    use crate::Card;
    use crate::InlinePreview;
    use crate::LinkUrls;
    use crate::PreviewReply;

    #[test]
    fn a_title_is_enough() {
        let reply = PreviewReply::titled("ABC-1");
        assert_eq!(reply.inline, Some(InlinePreview::new("ABC-1")));
        assert_eq!(reply.card, None);
        assert_eq!(PreviewReply::default(), PreviewReply::none());
    }

    #[test]
    fn everything_else_is_added_to_it() {
        let inline = InlinePreview::new("ABC-1")
            .with("zh_cn", "旧")
            .with("zh_cn", "工单")
            .image("img_1")
            .urls(LinkUrls { pc: Some("https://pc".to_owned()), ..LinkUrls::default() });
        assert_eq!(inline.i18n_title, [("zh_cn".to_owned(), "工单".to_owned())]);
        let reply = PreviewReply::from(inline).with_card(Card::Raw("{}".to_owned()));
        assert_eq!(reply.card, Some(Card::Raw("{}".to_owned())));
        let urls = reply.inline.and_then(|inline| inline.urls).unwrap_or_default();
        assert_eq!((urls.pc.as_deref(), urls.web), (Some("https://pc"), None));
        assert_eq!(LinkUrls::everywhere("https://a").android.as_deref(), Some("https://a"));
    }
}
