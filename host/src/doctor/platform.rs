//! The platform as one app sees it: the network, the clock, the credentials, and the app's settings in the console.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use lark_wire::platform_code;
use rustls::ClientConfig;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::Instant;

use crate::config::AppConfig;
use crate::doctor::console;
use crate::doctor::finding::Finding;
use crate::ingress::long_connection::LongConnectionConfig;
use crate::ingress::long_connection::Network;
use crate::ingress::long_connection::ask_discovery;
use crate::open_api::identity::AppKind;
use crate::open_api::request::ApiError;
use crate::open_api::request::ApiRequest;
use crate::open_api::transport::OpenApi;
use crate::plugin::loaded::Plugin;

/// Time limit for an answer. A network that takes longer leaves no time for callbacks.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest difference between the clocks. A signature is valid for five minutes; half of that is left for the network.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(150);
/// Path at which an app reads its own description.
const APPLICATION_PATH: &str = "/open-apis/application/v6/applications/me";

pub(super) async fn examine(
    app: &AppConfig,
    plugins: &[Arc<Plugin>],
    http: &reqwest::Client,
    tls: &Arc<ClientConfig>,
) -> Vec<Finding> {
    let about = format!("app {}", app.id);
    let mut findings = match reach(&about, app, http).await {
        Ok(findings) => findings,
        // A platform that cannot be reached answers no other question either.
        Err(unreachable) => return vec![unreachable],
    };
    if let Some(wanted) = &app.long_connection {
        findings.push(discovery(&about, app, wanted, http, tls).await);
    }
    findings.extend(application(&about, app, plugins, http).await);
    findings
}

async fn reach(
    about: &str,
    app: &AppConfig,
    http: &reqwest::Client,
) -> Result<Vec<Finding>, Finding> {
    let asked = http.get(app.domain.endpoint("/")).timeout(PATIENCE).send().await;
    let response = asked.map_err(|error| no_way(about, app, &error))?;
    let mut findings = vec![Finding::fine(about, format!("{} can be reached", app.domain))];
    let theirs = response.headers().get(reqwest::header::DATE);
    if let Some(theirs) = theirs.and_then(|date| date.to_str().ok()).and_then(http_date) {
        findings.push(clock(about, theirs));
    }
    Ok(findings)
}

/// Parses the time of a `Date` header, which has the format of mail.
fn http_date(text: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(text, &Rfc2822).ok().map(SystemTime::from)
}

fn clock(about: &str, theirs: SystemTime) -> Finding {
    let ours = SystemTime::now();
    let apart = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours));
    let apart = apart.unwrap_or_default();
    if apart > CLOCK_TOLERANCE {
        return Finding::fault(
            about,
            format!("this machine's clock is {} s from the platform's", apart.as_secs()),
            "signatures seem too old or from the future, and callbacks are refused",
            "let the machine keep time: chrony, systemd-timesyncd or ntpd",
        );
    }
    Finding::fine(about, format!("the clocks are {} s apart at most", apart.as_secs() + 1))
}

fn no_way(about: &str, app: &AppConfig, error: &reqwest::Error) -> Finding {
    let mut words = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = error.to_string();
        cause = error.source();
    }
    let chain = format!("{error:?}");
    let proxy =
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"]
            .into_iter()
            .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let next = if chain.contains("dns error") {
        "check the domain's name, and this machine's DNS"
    } else if chain.contains("certificate") || chain.contains("Certificate") {
        "somebody between here and the platform shows a certificate of their own: give theirs in [tls] extra_roots"
    } else if proxy.is_some() {
        "a proxy is set in the environment: check its address, or put the domain into NO_PROXY"
    } else if error.is_timeout() {
        "nobody answers: check the firewall, or set HTTPS_PROXY if this network needs a proxy"
    } else {
        "check the address and the firewall, or set HTTPS_PROXY if this network needs a proxy"
    };
    let through = proxy.map(|name| format!(" (with {name} set)")).unwrap_or_default();
    Finding::fault(
        about,
        format!("{} cannot be reached{through}: {words}", app.domain),
        "no callback comes in over a long connection, and no card can be updated",
        next,
    )
}

async fn discovery(
    about: &str,
    app: &AppConfig,
    wanted: &LongConnectionConfig,
    http: &reqwest::Client,
    tls: &Arc<ClientConfig>,
) -> Finding {
    let network = Network { http: http.clone(), tls: Arc::clone(tls) };
    match ask_discovery(app.identity(), &wanted.hosts, network).await {
        Ok(()) => Finding::fine(about, "a long connection is offered"),
        Err(refusal) if refusal.useless_to_retry => Finding::fault(
            about,
            refusal.reason,
            "the host gives the app's long connections up",
            refusal.code.and_then(advice).as_deref().unwrap_or("see what the platform says"),
        ),
        Err(refusal) => Finding::warning(
            about,
            refusal.reason,
            "there is no long connection until this is over; the host keeps trying",
            "try again in a minute; if it stays, somebody between here and the platform answers",
        ),
    }
}

/// Returns the advice for a code of the platform, if the code is known.
fn advice(code: i64) -> Option<String> {
    let known = platform_code::all().ok()?;
    known.into_iter().find(|known| known.code == code).map(|known| known.en.next)
}

async fn application(
    about: &str,
    app: &AppConfig,
    plugins: &[Arc<Plugin>],
    http: &reqwest::Client,
) -> Vec<Finding> {
    if app.kind == AppKind::Store {
        return store_app(about, app);
    }
    let api = OpenApi::new(app.identity(), http.clone(), None, app.api.rate());
    let request = ApiRequest {
        method: "GET",
        path: APPLICATION_PATH.to_owned(),
        query: vec![("lang".to_owned(), "en_us".to_owned())],
        body: None,
    };
    let why = "cards cannot be updated, and plugins cannot call the server API";
    match api.call(&request, "", Instant::now() + PATIENCE).await {
        Err(ApiError::Token { code, message, .. }) => vec![Finding::fault(
            about,
            format!("the platform gives no token: code {code}, {message}"),
            why,
            advice(code)
                .as_deref()
                .unwrap_or("check the app's id and secret in the console, under Credentials"),
        )],
        Err(error) => vec![Finding::warning(
            about,
            format!("the server API does not answer: {error}"),
            why,
            "try again in a minute",
        )],
        Ok(response) if response.code() != Some(0) => vec![Finding::note(
            about,
            format!("the app may not read its own settings (HTTP {})", response.status),
            "whether it is published and what is subscribed cannot be seen from here",
            "grant the scope application:application:self_manage to have it checked",
        )],
        Ok(response) => {
            let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
            console::compare(about, app, plugins, body.pointer("/data/app").unwrap_or(&Value::Null))
        }
    }
}

fn store_app(about: &str, app: &AppConfig) -> Vec<Finding> {
    let mut findings = vec![Finding::note(
        about,
        "a store app's tokens come of a ticket that the platform sends to a running host",
        "what the console says of the app cannot be seen from here",
        "start the host: its log says when it asks for a ticket",
    )];
    if app.long_connection.is_some() {
        findings.push(Finding::warning(
            about,
            "the platform documents the long connection for self-built apps only",
            "it may refuse it to an app from the store",
            "give the app a webhook; the host takes what comes through either",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_understood() {
        let sunday = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(sunday));
        for wrong in ["", "yesterday", "784111777"] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }
}
