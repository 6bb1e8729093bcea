//! `lark:callback/sealed-values`: seals the values of buttons and checks them, so that a button works only as its plugin meant
//! it. The key stays in the host.

use wasmtime::component::HasData;
use wasmtime::component::Linker;

use crate::bindings::lark::callback::sealed_values;
use crate::callback::model::Json;
use crate::callback::seal::Owner;
use crate::callback::seal::SealCheck;
use crate::callback::seal::SealError;
use crate::callback::seal::Terms;
use crate::capability::context::CallContext;
use crate::capability::interface::CONTRACT_VERSION;
use crate::capability::interface::Interface;
use crate::clock::now_ms;
use crate::tape::UNKNOWN;

pub const INTERFACES: &[Interface] = &[Interface {
    name: "lark:callback/sealed-values",
    version: CONTRACT_VERSION,
    functions: &["seal", "is-sealed"],
}];

/// Seals the values of a plugin's buttons, and checks the one that was clicked.
pub struct SealedValuesView<'a> {
    pub context: &'a CallContext,
}

impl HasData for SealedValuesView<'static> {
    type Data<'a> = SealedValuesView<'a>;
}

pub fn link<T>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> SealedValuesView<'_>,
) -> wasmtime::Result<()> {
    sealed_values::add_to_linker::<T, SealedValuesView<'static>>(linker, view)
}

impl SealedValuesView<'_> {
    fn owner(&self) -> Owner<'_> {
        let id = &self.context.access.id;
        Owner { app: &id.app, plugin: &id.name }
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
        // The number has to be unique and need not be secret.
        let number = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        self.context
            .access
            .seal_key
            .seal(self.owner(), value, terms, now_ms() / 1000, &number)
            .map_err(|error| match error {
                SealError::NotAnObject
                | SealError::RepeatedMember
                | SealError::TooLarge(_)
                | SealError::AlreadySealed
                | SealError::Number => sealed_values::SealError::InvalidValue(error.to_string()),
                SealError::Validity | SealError::People => {
                    sealed_values::SealError::InvalidTerms(error.to_string())
                }
            })
    }

    fn has_seal(&self) -> bool {
        let Some(click) = self.context.callback.card_action() else { return false };
        let (clicked_by, now) = (&click.operator.open_id, now_ms() / 1000);
        let key = &self.context.access.seal_key;
        let check = |value| key.check(self.owner(), value, clicked_by, now);
        click
            .action
            .value
            .as_deref()
            .is_some_and(|value| matches!(check(value), SealCheck::Good { .. }))
    }
}

impl sealed_values::Host for SealedValuesView<'_> {
    fn seal(
        &mut self,
        value: Json,
        terms: sealed_values::Terms,
    ) -> Result<Json, sealed_values::SealError> {
        let asked = self.context.tape.asked((&value, &terms));
        let sealed =
            self.context.tape.at_once("sealed-values.seal", asked, || self.make(&value, terms));
        sealed.unwrap_or_else(|| Err(sealed_values::SealError::InvalidTerms(UNKNOWN.to_owned())))
    }

    fn is_sealed(&mut self) -> bool {
        let asked = self.context.tape.asked(());
        self.context
            .tape
            .at_once("sealed-values.is-sealed", asked, || self.has_seal())
            .unwrap_or(false)
    }
}
