//! `Toast`: the short text a client shows for a few seconds, in one or several languages.

use crate::Toast;
use crate::ToastKind;

impl Toast {
    /// A toast of the given kind. `content` is what a client shows when no translation fits its
    /// language.
    pub fn new(kind: ToastKind, content: impl Into<String>) -> Self {
        Self { kind, content: content.into(), i18n: Vec::new() }
    }

    /// A toast with neutral information.
    pub fn info(content: impl Into<String>) -> Self {
        Self::new(ToastKind::Info, content)
    }

    /// A toast that reports success.
    pub fn success(content: impl Into<String>) -> Self {
        Self::new(ToastKind::Success, content)
    }

    /// A toast that reports success with a caveat that the user should look at.
    pub fn warning(content: impl Into<String>) -> Self {
        Self::new(ToastKind::Warning, content)
    }

    /// A toast that reports a failure.
    pub fn error(content: impl Into<String>) -> Self {
        Self::new(ToastKind::Error, content)
    }

    /// Adds the text for one locale, replacing an earlier one for the same locale.
    ///
    /// The platform knows `zh_cn`, `zh_hk`, `zh_tw`, `en_us`, `ja_jp`, `ko_kr`, `id_id`, `ms_my`, `vi_vn`,
    /// `th_th`, `pt_br`, `es_es`, `de_de`, `fr_fr`, `it_it` and `ru_ru`.
    ///
    /// ```
    /// use aviary_sdk::Toast;
    ///
    /// let toast = Toast::success("Approved").with("zh_cn", "已批准").with("ja_jp", "承認しました");
    /// assert_eq!(toast.i18n.len(), 2);
    /// ```
    #[must_use]
    pub fn with(mut self, locale: impl Into<String>, text: impl Into<String>) -> Self {
        crate::translation::put(&mut self.i18n, locale.into(), text.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::Toast;
    use crate::ToastKind;

    #[test]
    fn each_constructor_has_its_kind() {
        assert_eq!(Toast::info("a").kind, ToastKind::Info);
        assert_eq!(Toast::success("a").kind, ToastKind::Success);
        assert_eq!(Toast::warning("a").kind, ToastKind::Warning);
        assert_eq!(Toast::error("a").kind, ToastKind::Error);
    }

    #[test]
    fn a_locale_is_never_listed_twice() {
        let toast = Toast::info("a").with("zh_cn", "甲").with("en_us", "A").with("zh_cn", "乙");
        assert_eq!(
            toast.i18n,
            [("zh_cn".to_owned(), "乙".to_owned()), ("en_us".to_owned(), "A".to_owned())]
        );
    }
}
