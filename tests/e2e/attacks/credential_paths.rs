//! A plugin whose operator granted it the whole server API asks for the credentials themselves, under every address that
//! the platform documents for them and under other spellings of each.

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::json;

async fn with_every_grant() -> anyhow::Result<Running> {
    let grants =
        ["GET", "POST", "PUT", "PATCH", "DELETE"].map(|method| format!("{method} /open-apis/*"));
    let sidecar = json!({ "grants": { "open_api": grants } });
    Setup::new(App::default().guest_with("calls-open-api", sidecar)?).start().await
}

/// Returns the requests that the list in the source tree refuses.
fn listed() -> anyhow::Result<Vec<String>> {
    let file = artifacts::source_root().join("host/src/open_api/credential_paths.toml");
    let list: toml::Value = toml::from_str(&std::fs::read_to_string(&file)?)?;
    let entries = list["refused"].as_array().context("a list")?;
    let requests = entries.iter().filter_map(|entry| entry["requests"].as_array()).flatten();
    Ok(requests.filter_map(toml::Value::as_str).map(str::to_owned).collect())
}

/// Returns paths that lenient servers treat as the same path.
fn spellings(request: &str) -> Vec<String> {
    let (method, path) = request.split_once(' ').unwrap_or_default();
    let rest = path.strip_prefix("/open-apis/").unwrap_or_default();
    let first = rest.as_bytes().first().copied().unwrap_or_default();
    let escaped = format!("/open-apis/%{first:02x}{}", rest.get(1..).unwrap_or_default());
    [
        path.to_owned(),
        path.to_uppercase().replace("/OPEN-APIS/", "/open-apis/"),
        format!("{path}/"),
        format!("{path}.json"),
        format!("{path}?x=1"),
        format!("{path}#x"),
        format!("{path};x=1"),
        format!("{path}%20"),
        escaped,
        format!("/open-apis//{rest}"),
        format!("/open-apis/./{rest}"),
        format!("/open-apis/im/../{rest}"),
        format!("/open-apis/im/%2e%2e/{rest}"),
        format!("/open-apis/im%2f..%2f{rest}"),
        format!("/open-apis\\{}", rest.replace('/', "\\")),
        format!("//open-apis/{rest}"),
        format!("https://open.feishu.cn{path}"),
    ]
    .map(|path| format!("{method} {path}"))
    .to_vec()
}

#[tokio::test]
async fn no_request_for_a_credential_leaves_the_host() -> anyhow::Result<()> {
    let running = with_every_grant().await?;
    let platform = running.platform()?;
    let listed = listed()?;
    for known in [
        "POST /open-apis/auth/v3/tenant_access_token/internal",
        "POST /open-apis/authen/v2/oauth/token",
        "POST /open-apis/jssdk/ticket/get",
        "POST /open-apis/mina/v2/tokenLoginValidate",
        "POST /open-apis/calendar/v4/settings/generate_caldav_conf",
    ] {
        ensure!(listed.iter().any(|request| request == known), "{known} is not on the list");
    }
    for request in &listed {
        let spellings = spellings(request);
        let seen = platform.click(&format!("ask:{}", spellings.join("\n"))).await?;
        let answers: Vec<_> = seen.toast().split(" | ").collect();
        ensure!(answers.len() == spellings.len(), "{request}: {seen:?}");
        for (spelling, answer) in spellings.iter().zip(answers) {
            let refused = answer.ends_with("NotGranted") || answer.contains("Other(");
            ensure!(refused, "{spelling}: {answer}");
        }
    }
    let calls = platform.simulator().api_calls();
    ensure!(calls.is_empty(), "the platform was asked: {calls:?}");

    // A request that returns no credential is allowed under the same grants.
    let seen = platform.click("ask:POST /open-apis/im/v1/messages").await?;
    ensure!(seen.toast().starts_with("status "), "{seen:?}");
    ensure!(!platform.simulator().api_calls().is_empty(), "the platform was not asked");
    Ok(())
}
