//! Answers that the host gives when no plugin did: well-formed for every kind of callback, in the user's language.

use lark_card::fault::Faults;
use serde_json::json;

use crate::callback::approval::ApprovalKind;
use crate::callback::approval::answer;
use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::callback::reply::Answer;
use crate::callback::reply::InlinePreview;
use crate::callback::reply::Reply;
use crate::callback::reply::Toast;
use crate::callback::reply::ToastKind;
use crate::callback::reply_check::check_toast;

/// Longest link that is repeated as its own preview, in characters.
const MAX_TITLE: usize = 200;

/// Why the host answers in the plugin's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The plugin is still running.
    StillWorking,
    /// The call failed, or the plugin is paused because of failures.
    Failed,
    /// No plugin takes this callback.
    NoHandler,
    /// The host has no place for another call.
    Busy,
    /// This person may not click this button.
    NotAllowed,
    /// The button's value does not match its seal.
    Forged,
    /// The button's seal has expired.
    Expired,
    /// The button was good for one click, which has been made.
    UsedUp,
}

impl Reason {
    fn words(self) -> (ToastKind, &'static str, &'static str, &'static str) {
        match self {
            Self::StillWorking => (
                ToastKind::Info,
                "Still working on it. The result will follow.",
                "正在处理，请稍候。",
                "処理中です。しばらくお待ちください。",
            ),
            Self::Failed => (
                ToastKind::Error,
                "Something went wrong. Please try again later.",
                "操作失败，请稍后重试。",
                "処理に失敗しました。後でもう一度お試しください。",
            ),
            Self::NoHandler => (
                ToastKind::Error,
                "This button is not available right now.",
                "该按钮暂不可用。",
                "現在このボタンは使用できません。",
            ),
            Self::Busy => (
                ToastKind::Warning,
                "Busy right now. Please try again in a moment.",
                "当前请求较多，请稍后重试。",
                "混み合っています。しばらくしてからお試しください。",
            ),
            Self::NotAllowed => (
                ToastKind::Warning,
                "This button is not for you.",
                "您没有权限使用此按钮。",
                "このボタンを使う権限がありません。",
            ),
            Self::Forged => (
                ToastKind::Error,
                "This button is not genuine.",
                "此按钮无效，可能已被篡改。",
                "このボタンは正規のものではありません。",
            ),
            Self::Expired => (
                ToastKind::Warning,
                "This button has expired.",
                "此按钮已过期。",
                "このボタンは有効期限が切れています。",
            ),
            Self::UsedUp => (
                ToastKind::Info,
                "This has been answered already.",
                "此操作已处理，请勿重复点击。",
                "すでに処理されています。",
            ),
        }
    }

    /// Returns the words for somebody at a form or a task of the approval center, which shows one text in all languages.
    fn to_approver(self, kind: ApprovalKind) -> String {
        let (english, chinese) = match kind {
            ApprovalKind::ExternalOptions => {
                ("The options are not available right now.", "选项暂时无法加载，请稍后重试。")
            }
            ApprovalKind::QuickApproval => {
                let (_, english, chinese, _) = self.words();
                (english, chinese)
            }
        };
        format!("{chinese} {english}")
    }

    fn toast(self) -> Toast {
        let (kind, english, chinese, japanese) = self.words();
        let i18n = [("en_us", english), ("zh_cn", chinese), ("ja_jp", japanese)];
        Toast {
            kind,
            content: english.to_owned(),
            i18n: i18n.map(|(locale, text)| (locale.to_owned(), text.to_owned())).into(),
        }
    }
}

/// Returns the host's own answer to `callback`.
pub fn fallback(callback: &Callback, reason: Reason) -> Reply {
    match callback.kind() {
        Kind::CardAction | Kind::LegacyCard => with_toast(&reason.toast()),
        // Shows the bare link, as the user would see it without a preview.
        Kind::LinkPreview => {
            let title = callback.url().unwrap_or_default().chars().take(MAX_TITLE).collect();
            let inline = InlinePreview { title: Some(title), ..InlinePreview::default() };
            Reply::ok(&json!({ "inline": inline.to_json() }))
        }
        Kind::Approval(kind) => answer::failed(kind, &reason.to_approver(kind)),
        // No plugin takes this event: sending it again would change nothing.
        Kind::Other if reason == Reason::NoHandler => Reply::accepted(),
        // No plugin has handled the event yet: acknowledging it would lose it.
        Kind::Other => Reply(Answer::Redeliver),
    }
}

/// A toast that a plugin or its operator chose in place of the host's text.
#[derive(Clone, Debug)]
pub struct CustomToast(Reply);

impl CustomToast {
    /// Checks that the toast keeps to the platform's rules without changes.
    pub fn new(toast: &Toast) -> Result<Self, Faults> {
        check_toast(toast)?;
        Ok(Self(with_toast(toast)))
    }

    /// Returns the answer to a callback of that kind; `None` if the kind does not show toasts.
    pub fn reply(&self, kind: Kind) -> Option<Reply> {
        match kind {
            Kind::CardAction | Kind::LegacyCard => Some(self.0.clone()),
            Kind::LinkPreview | Kind::Approval(_) | Kind::Other => None,
        }
    }
}

fn with_toast(toast: &Toast) -> Reply {
    Reply::ok(&json!({ "toast": toast.to_json() }))
}
