//! `[admin]`: the address of the admin port, and the token that it asks for.

use std::net::SocketAddr;
use std::path::Path;

use lark_wire::secret::Secret;
use serde::Deserialize;

use crate::secret::SecretSource;
use crate::setting::Section;
use crate::setting::SettingError;

/// Shortest token, in characters: a shorter one could be guessed by trying.
const SHORTEST_TOKEN: usize = 16;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminFile {
    listen: SocketAddr,
    token: Option<SecretSource>,
}

/// The admin port, checked: a port that other machines can reach has a token.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Address and port of the dashboard, `/healthz`, `/readyz`, `/metrics` and `/plugins`.
    pub listen: SocketAddr,
    /// Token that requests have to show, if one is configured.
    pub token: Option<Secret>,
}

impl AdminFile {
    /// Reads the token, relative to `folder`.
    pub(super) fn check(self, folder: &Path) -> Result<AdminConfig, SettingError> {
        let Self { listen, token } = self;
        let token = token.map(|token| token.read(folder)).transpose();
        let wrong = |problem| Section("admin").wrong("token", problem);
        let token = token.map_err(|error| wrong(error.to_string()))?;
        if let Some(token) = &token {
            let length = token.expose().chars().count();
            let printable = token.expose().bytes().all(|byte| byte.is_ascii_graphic());
            if length < SHORTEST_TOKEN || !printable {
                return Err(wrong(format!(
                    "give {SHORTEST_TOKEN} letters, digits or signs at least, without spaces; `openssl rand -hex 32` makes a good one"
                )));
            }
        } else if !listen.ip().is_loopback() {
            return Err(wrong(format!(
                "missing, though admin.listen is {listen}, which others can reach: give {{ env = \"AVIARY_ADMIN_TOKEN\" }}, or listen on 127.0.0.1"
            )));
        }
        Ok(AdminConfig { listen, token })
    }
}
