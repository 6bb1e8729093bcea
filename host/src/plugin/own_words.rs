//! Toasts that an operator writes, to be said in the host's place.

use std::collections::BTreeMap;

use lark_card::fault::Faults;
use serde::Deserialize;

use crate::callback::fallback::OwnWords;
use crate::callback::reply::Toast;
use crate::callback::reply::ToastKind;

/// A toast as an operator writes it: `{ kind = "info", content = "…", i18n = { zh_cn = "…" } }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToastConfig {
    /// `info` unless said otherwise.
    #[serde(default = "info")]
    kind: ToastKind,
    /// Its text.
    content: String,
    /// Its text in other languages.
    #[serde(default)]
    i18n: BTreeMap<String, String>,
}

fn info() -> ToastKind {
    ToastKind::Info
}

impl ToastConfig {
    /// The toast, if the platform would show it.
    pub fn words(&self) -> Result<OwnWords, Faults> {
        OwnWords::new(&Toast {
            kind: self.kind,
            content: self.content.clone(),
            i18n: self.i18n.clone().into_iter().collect(),
        })
    }
}
