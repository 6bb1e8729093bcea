//! `aviary doctor`: finds out what keeps the apps of a configuration from working, as far as this machine can tell. It reads
//! files, and asks the platform the questions that a host asks when it starts. It changes nothing but the cache of compiled code,
//! and opens no long connection, of which an app has a limited number.

mod approval;
mod console;
mod files;
pub mod finding;
mod machine;
mod platform;
mod plugins;

use std::path::Path;

use crate::config::Config;
use crate::config::ConfigError;
use crate::doctor::finding::Finding;
use crate::doctor::plugins::Shelf;
use crate::open_api::transport::http_client;
use crate::tls;

/// Returns every finding, in the order in which one would fix them.
pub async fn examine(path: &Path) -> Vec<Finding> {
    let about = path.display().to_string();
    let config = match Config::load(path).and_then(Config::for_listening) {
        Ok(config) => config,
        Err(error) => return vec![configuration_fault(about, &error)],
    };
    let apps = config.apps.len();
    let mut findings =
        vec![Finding::fine(about, format!("{apps} app(s), and every secret is there"))];
    findings.extend(machine::examine(&config).await);
    findings.extend(files::examine(&config).await);
    let shelf = Shelf::load(&config).await;
    findings.extend(shelf.findings());
    let tls = tls::client_config(&config.extra_roots);
    let http = match http_client(&tls) {
        Ok(http) => http,
        Err(error) => {
            findings.push(Finding::fault(
                "network",
                format!("no HTTP client can be set up: {error}"),
                "nothing can be asked of the platform",
                "check the [tls] section and the system's certificates",
            ));
            return findings;
        }
    };
    for app in &config.apps {
        findings.extend(approval::compare(app, shelf.of(app)));
        findings.extend(platform::examine(app, shelf.of(app), &http, &tls).await);
    }
    findings
}

fn configuration_fault(about: String, error: &ConfigError) -> Finding {
    let next = match error {
        ConfigError::Read(_) => {
            "give the file's place with --config; README.md has one to begin with"
        }
        ConfigError::Toml { .. } => "mend that line; README.md lists every key",
        ConfigError::Secret { .. } => {
            "put the secret where the file says it is; the console shows it under Credentials"
        }
        _ => "change that value",
    };
    Finding::fault(about, error.to_string(), "the host does not start", next)
}
