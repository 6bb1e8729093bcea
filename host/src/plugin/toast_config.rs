//! Toasts that an operator writes in place of the host's own.

use std::collections::BTreeMap;

use lark_card::fault::Faults;
use serde::Deserialize;

use crate::callback::fallback::CustomToast;
use crate::callback::reply::Toast;
use crate::callback::reply::ToastKind;

/// A toast as an operator writes it: `{ kind = "info", content = "…", i18n = { zh_cn = "…" } }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToastConfig {
    /// The kind of toast; `info` by default.
    #[serde(default = "info")]
    kind: ToastKind,
    /// The text that is shown.
    content: String,
    /// Translations of the text, by language.
    #[serde(default)]
    i18n: BTreeMap<String, String>,
}

fn info() -> ToastKind {
    ToastKind::Info
}

impl ToastConfig {
    /// Checks the toast. The error names the platform's rules that it breaks.
    pub fn words(&self) -> Result<CustomToast, Faults> {
        CustomToast::new(&Toast {
            kind: self.kind,
            content: self.content.clone(),
            i18n: self.i18n.clone().into_iter().collect(),
        })
    }
}
