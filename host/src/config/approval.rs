//! `[[app.webhook.approval]]`: the addresses at which the approval center calls an app.

use std::path::Path;

use serde::Deserialize;

use crate::callback::approval::ApprovalKind;
use crate::callback::approval::keys::ApprovalKeys;
use crate::secret::SecretSource;
use crate::secret::SecretSourceError;

/// One address as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovalFile {
    kind: ApprovalKind,
    pub(super) path: String,
    token: SecretSource,
    key: Option<SecretSource>,
}

/// One address at which the approval center calls.
#[derive(Clone, Debug)]
pub struct ApprovalAddress {
    /// Callbacks that come there.
    pub kind: ApprovalKind,
    /// Path of the address.
    pub path: String,
    /// Token that vouches for the requests, and key that encrypts.
    pub keys: ApprovalKeys,
}

impl ApprovalFile {
    /// Reads the secrets. The error names the member that holds the wrong one.
    pub(super) fn read(
        &self,
        folder: &Path,
    ) -> Result<ApprovalAddress, (&'static str, SecretSourceError)> {
        let token = self.token.read(folder).map_err(|error| ("webhook.approval.token", error))?;
        let key = self.key.as_ref().map(|key| key.read(folder)).transpose();
        let key = key.map_err(|error| ("webhook.approval.key", error))?;
        let keys = ApprovalKeys::new(token, key.as_ref());
        Ok(ApprovalAddress { kind: self.kind, path: self.path.clone(), keys })
    }
}
