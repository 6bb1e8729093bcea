//! Asks a running host over its admin port.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;
use clap::Args;
use reqwest::RequestBuilder;
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::admin::plugins::AdminRefusal;
use crate::config::AdminConfig;
use crate::config::Config;
use crate::printable::Keep;
use crate::printable::escaped;
use crate::secret::SecretSource;
use crate::tls;
use crate::tls::ExtraRoots;

/// Time limit for an answer of the admin port. A host that takes longer is not there, or not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Environment variable with the token of a host that no configuration file here describes.
const TOKEN: &str = "AVIARY_ADMIN_TOKEN";

/// The admin port of a running host.
#[derive(Debug, Args)]
pub(super) struct AdminPort {
    /// Address of the host's admin port; by default the one in the configuration file. With this option, a token is read from
    /// AVIARY_ADMIN_TOKEN.
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Configuration file that names the admin port.
    #[arg(long, global = true, default_value = "aviary.toml")]
    config: PathBuf,
}

/// An answer of the admin port.
pub(super) struct AdminAnswer {
    body: Vec<u8>,
    admin: SocketAddr,
}

impl AdminPort {
    /// Asks for what is at that path.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<AdminAnswer> {
        self.ask(|client, base| client.get(base + path)).await
    }

    /// Posts JSON to that path.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<AdminAnswer> {
        self.ask(|client, base| client.post(base + path).json(body)).await
    }

    async fn ask(
        &self,
        request: impl FnOnce(&reqwest::Client, String) -> RequestBuilder,
    ) -> anyhow::Result<AdminAnswer> {
        let AdminConfig { listen: admin, token } = self.address()?;
        let tls = tls::client_config(&ExtraRoots::default());
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(&tls))
            // The admin port is on this machine, or beside it; a proxy is for the platform.
            .no_proxy()
            .build()?;
        let request = request(&client, format!("http://{admin}"));
        let request = match &token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let response = request
            .timeout(PATIENCE)
            .send()
            .await
            .with_context(|| format!("no host at {admin}"))?;
        let is_refused = !response.status().is_success();
        let body = response.bytes().await;
        let body = body.with_context(|| format!("the host at {admin} stopped answering"))?;
        let answer = AdminAnswer { body: body.to_vec(), admin };
        if is_refused {
            let AdminRefusal { error } = answer.read()?;
            bail!(error);
        }
        Ok(answer)
    }

    fn address(&self) -> anyhow::Result<AdminConfig> {
        match self.admin {
            // Without the variable no token is sent; the host says so if it wants one.
            Some(listen) => {
                let token = SecretSource::Env(TOKEN.to_owned()).read(Path::new(".")).ok();
                Ok(AdminConfig { listen, token })
            }
            None => {
                Config::admin(&self.config).context("--admin says where the host's admin port is")
            }
        }
    }
}

impl AdminAnswer {
    /// Parses the answer, which may be that of another version of the host, or of another program.
    pub(super) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body).with_context(|| {
            format!("what answers at {} is not an admin port of this version", self.admin)
        })
    }

    /// Returns the answer as one line of JSON, to be printed.
    pub(super) fn as_text(&self) -> anyhow::Result<String> {
        let answer: Value = self.read()?;
        Ok(format!("{}\n", escaped(&answer.to_string(), Keep::Nothing)))
    }
}
