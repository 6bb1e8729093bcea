//! `lark:callback/sealed-values`: buttons that only work as they were meant. The key stays here.

use std::sync::Arc;

use crate::bindings::lark::callback::sealed_values;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::seal::Owner;
use crate::callback::seal::SealError;
use crate::callback::seal::SealKey;
use crate::callback::seal::Terms;
use crate::clock::now_ms;
use crate::tape::Tape;
use crate::tape::UNKNOWN;

/// One call's way to the key.
#[derive(Clone, Debug)]
pub struct SealedValuesCtx {
    key: SealKey,
    app: Arc<str>,
    plugin: Arc<str>,
    value: Option<Json>,
    clicked_by: String,
    tape: Tape,
}

impl SealedValuesCtx {
    /// For that plugin's values, and for the click that it is asked about.
    pub fn new(
        key: SealKey,
        app: Arc<str>,
        plugin: Arc<str>,
        callback: &Callback,
        tape: Tape,
    ) -> Self {
        let click = callback.card_action();
        Self {
            key,
            app,
            plugin,
            value: click.and_then(|click| click.action.value.clone()),
            clicked_by: click.map(|click| click.operator.open_id.clone()).unwrap_or_default(),
            tape,
        }
    }

    fn owner(&self) -> Owner<'_> {
        Owner { app: &self.app, plugin: &self.plugin }
    }

    fn make(
        &self,
        value: &str,
        terms: sealed_values::Terms,
    ) -> Result<Json, sealed_values::SealError> {
        let terms = Terms {
            open_ids: terms.open_ids,
            valid_secs: u64::from(terms.valid_secs),
            once: terms.once,
        };
        // Unique is enough: nobody gains anything by guessing it.
        let number = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        self.key.seal(self.owner(), value, terms, now_ms() / 1000, &number).map_err(|error| {
            match error {
                SealError::NotAnObject
                | SealError::RepeatedMember
                | SealError::TooLarge(_)
                | SealError::Sealed
                | SealError::Number => sealed_values::SealError::InvalidValue(error.to_string()),
                SealError::Validity | SealError::People => {
                    sealed_values::SealError::InvalidTerms(error.to_string())
                }
            }
        })
    }

    fn has_seal(&self) -> bool {
        let now = now_ms() / 1000;
        self.value
            .as_deref()
            .and_then(|value| self.key.check(self.owner(), value, &self.clicked_by, now))
            .is_some_and(|checked| checked.is_ok())
    }
}

impl sealed_values::Host for SealedValuesCtx {
    fn seal(
        &mut self,
        value: Json,
        terms: sealed_values::Terms,
    ) -> Result<Json, sealed_values::SealError> {
        let asked = self.tape.asked((&value, &terms));
        let sealed = self.tape.at_once("sealed-values.seal", asked, || self.make(&value, terms));
        sealed.unwrap_or_else(|| Err(sealed_values::SealError::InvalidTerms(UNKNOWN.to_owned())))
    }

    fn is_sealed(&mut self) -> bool {
        let asked = self.tape.asked(());
        self.tape.at_once("sealed-values.is-sealed", asked, || self.has_seal()).unwrap_or(false)
    }
}
