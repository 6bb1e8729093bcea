//! Settings of one app, complete.

use lark_wire::secret::Secret;

use crate::config::AppKind;
use crate::config::SimulatedApp;
use crate::identifier;

/// [`SimulatedApp`] with its gaps filled.
pub(super) struct Settings {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) kind: AppKind,
    pub(super) verification_token: Secret,
    pub(super) encrypt_key: Option<Secret>,
    pub(super) tenant_key: String,
}

impl Settings {
    pub(super) fn new(app: SimulatedApp) -> Self {
        Self {
            id: app.id,
            secret: app.secret,
            kind: app.kind,
            verification_token: app
                .verification_token
                .unwrap_or_else(|| Secret::new(identifier::hex(32))),
            encrypt_key: app.encrypt_key,
            tenant_key: app.tenant_key,
        }
    }
}
