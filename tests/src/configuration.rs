//! `aviary.toml` as text, for tests of the configuration itself. Every other test puts a host together with `Setup`.

use std::path::Path;

use crate::host::HostProcess;

/// The operating system's exit code for a configuration error (`EX_USAGE` of sysexits).
pub const BAD_CONFIGURATION: i32 = 64;

/// A minimal configuration that a host accepts.
pub const SMALLEST: &str = r#"
[[app]]
id = "cli_0123456789abcdef"
secret = { env = "AVIARY_APP_SECRET" }
verification_token = { env = "AVIARY_VERIFICATION_TOKEN" }
domain = "http://127.0.0.1:1"
plugins = "plugins"
webhook = { path = "/callback" }

[webhook]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[log]
format = "json"
"#;

/// Writes the configuration into that folder and creates the plugins folder that it names.
pub fn write(folder: &Path, configuration: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder.join("plugins"))?;
    Ok(std::fs::write(folder.join("aviary.toml"), configuration)?)
}

/// Runs a host that is expected to end by itself. Returns its exit code and its output.
pub async fn run(
    folder: &Path,
    configuration: &str,
    environment: &[(String, String)],
) -> anyhow::Result<(Option<i32>, String)> {
    write(folder, configuration)?;
    let mut host = HostProcess::start(&["run"], folder, environment)?;
    let exit = host.wait().await?;
    Ok((exit.status.code(), host.log().text()))
}
