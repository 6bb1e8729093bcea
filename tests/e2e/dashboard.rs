//! The dashboard shows the figures of the callbacks, and only to authorised users.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::artifacts;
use aviary_e2e::configuration;
use aviary_e2e::configuration::BAD_CONFIGURATION;
use aviary_e2e::configuration::SMALLEST;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::http::Request;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::environment;
use serde_json::Value;
use serde_json::json;

const TOKEN: &str = "e2e-admin-token-QW72";
const WHERE_THE_TOKEN_IS: &str = "AVIARY_ADMIN_TOKEN";

/// Polls the page's data until `holds` accepts it, and returns it.
async fn told(running: &Running, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let admin = running.host.admin().await?;
    let mut last = Value::Null;
    let seen = eventually_is("what the page is told", async || {
        last = Request::get("/dashboard.json").send(admin).await?.json()?;
        Ok(holds(&last))
    });
    let seen = seen.await;
    seen.with_context(|| format!("it was last: {last:#}"))?;
    Ok(last)
}

fn plugin<'a>(told: &'a Value, name: &str) -> &'a Value {
    let plugins = told["apps"][0]["plugins"].as_array();
    plugins.into_iter().flatten().find(|plugin| plugin["name"] == name).unwrap_or(&Value::Null)
}

fn steps(callback: &Value, of: &str, name: &str) -> Vec<String> {
    let all = callback[of].as_array().into_iter().flatten();
    all.filter_map(|one| one[name].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn the_figures_are_those_of_the_callbacks() -> anyhow::Result<()> {
    let grants = json!({ "grants": { "key_value": {} } });
    let app = App::default().guest_with("counts", grants)?;
    let running = Setup::new(app).start().await?;
    let admin = running.host.admin().await?;
    for _ in 0..3 {
        running.deliver(&sender::click("count")).await?;
    }
    running.platform()?.click("count").await?;
    let sent = |one: &Value| steps(one, "steps", "step").last().is_some_and(|last| last == "send");
    let all_sent = |told: &Value| {
        let recent = told["recent"].as_array().cloned().unwrap_or_default();
        recent.len() == 4 && recent.iter().all(sent)
    };
    let now = told(&running, all_sent).await?;
    for figures in [&now["hour"], &plugin(&now, "counts")["hour"]] {
        ensure!(figures["calls"] == 4 && figures["failures"] == 0, "{figures:#}");
        ensure!(figures["outcomes"] == json!({ "answered": 4 }), "{figures:#}");
        ensure!(figures["per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{figures:#}");
        let ms = |name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
        ensure!(ms("p50_ms") > 0.0 && ms("p50_ms") <= ms("p99_ms"), "{figures:#}");
        ensure!(figures["fuel_per_call"].as_u64().is_some_and(|fuel| fuel > 0), "{figures:#}");
    }
    ensure!(now["hour"]["buckets"].as_array().map(Vec::len) == Some(120), "an hour: {now:#}");
    let recent = now["recent"].as_array().context("callbacks")?;
    let doors: Vec<_> = recent.iter().map(|one| one["door"].as_str().unwrap_or_default()).collect();
    ensure!(doors == ["webhook", "webhook", "webhook", "long_connection"], "{doors:?}");
    for one in recent {
        ensure!(one["plugin"] == "counts" && one["failed"] == false, "{one:#}");
        let journey = ["receive", "verify", "queue", "instantiate", "guest", "check", "send"];
        ensure!(steps(one, "steps", "step") == journey, "{one:#}");
        // The calls of the host's functions are listed without their content.
        let calls = steps(one, "host_calls", "call");
        ensure!(calls.iter().any(|call| call.starts_with("keyvalue")), "{one:#}");
        ensure!(!one.to_string().contains("clicks"), "the key is the plugin's business: {one}");
    }
    let doors = now["doors"].as_array().context("doors")?;
    let open = |door: &Value| door["state"] == "up" && door["app"] == APP_ID;
    ensure!(doors.len() == 2 && doors.iter().all(open), "{doors:?}");

    // A second request returns only new entries.
    let last = recent.last().context("a last one")?["number"].to_string();
    let later = Request::get(&format!("/dashboard.json?after={last}")).send(admin).await?.json()?;
    ensure!(later["recent"] == json!([]) && later["hour"]["calls"] == 4, "{later:#}");
    let nobody = Request::get(&format!("/dashboard.json?app={APP_ID}&plugin=nobody"));
    ensure!(nobody.send(admin).await?.json()?["hour"].is_null(), "a plugin that is not there");
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_shown_with_its_reason() -> anyhow::Result<()> {
    let breaker =
        json!({ "breaker": { "failures": 3, "pause_ms": 60_000, "max_pause_ms": 60_000 } });
    let app = App::default().webhook_only().guest_with("trap", breaker)?;
    let running = Setup::new(app).start().await?;
    std::fs::write(running.plugin_file("broken.wasm"), "this is text")?;
    // Failures of one user pause the plugin for that user alone.
    for user in ["ou_1", "ou_2", "ou_3", "ou_4"] {
        running.deliver(&sender::click_by("b", user)).await?;
    }
    let is_refused = |told: &Value| plugin(told, "broken")["not_live_because"].is_string();
    let now = told(&running, is_refused).await?;
    ensure!(plugin(&now, "broken")["live"] == false && plugin(&now, "broken")["hour"].is_null());
    let trap = plugin(&now, "trap");
    ensure!(trap["breaker"] == "paused" && trap["paused_for_ms"].is_u64(), "{trap:#}");
    ensure!(trap["hour"]["outcomes"] == json!({ "trap": 3, "paused": 1 }), "{trap:#}");
    ensure!(trap["hour"]["failures"] == 4, "{trap:#}");
    let crash = &now["recent"][0];
    ensure!(crash["outcome"] == "trap" && crash["failed"] == true, "{crash:#}");
    ensure!(crash["reason"].as_str().is_some_and(|why| !why.is_empty()), "{crash:#}");
    Ok(())
}

async fn with_token() -> anyhow::Result<(Running, SocketAddr)> {
    let app = App::default().webhook_only().guest("version-a")?;
    let setup = Setup::new(app).set("admin", "token", json!({ "env": WHERE_THE_TOKEN_IS }));
    let running = setup.env(WHERE_THE_TOKEN_IS, TOKEN).start().await?;
    let admin = running.host.admin().await?;
    Ok((running, admin))
}

fn bearer(request: &Request, token: &str) -> Request {
    request.clone().header("Authorization", format!("Bearer {token}"))
}

#[tokio::test]
async fn with_a_token_everything_but_the_probes_wants_it() -> anyhow::Result<()> {
    let (running, admin) = with_token().await?;
    let rollback = Request::post("/plugins/rollback", r#"{"name":"version-a"}"#);
    let guarded = ["/", "/dashboard.json", "/dashboard/app.js", "/metrics", "/plugins", "/nothing"];
    let guarded = guarded.map(Request::get);
    for request in guarded.iter().chain([&rollback]) {
        let without = request.send(admin).await?;
        ensure!(without.status == 401, "{} {}", request.path, without.status);
        for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN}x")] {
            let answer = bearer(request, wrong).send(admin).await?;
            ensure!(answer.status == 401, "{} {wrong}: {}", request.path, answer.status);
        }
        let with = bearer(request, TOKEN).send(admin).await?;
        ensure!(with.status != 401, "{} {}", request.path, with.text());
    }
    for probe in ["/healthz", "/readyz"] {
        ensure!(Request::get(probe).send(admin).await?.status == 200, "{probe}");
    }
    ensure!(!running.host.log().text().contains(TOKEN), "the token is in the log");
    Ok(())
}

fn sign_in(token: &str) -> Request {
    let form = format!("token={token}");
    let headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    Request { headers, ..Request::post("/sign-in", form) }
}

fn cookie(response: &Response) -> anyhow::Result<(String, Vec<String>)> {
    let all = response.header("set-cookie").context("a cookie")?;
    let mut parts = all.split(';').map(|part| part.trim().to_owned());
    Ok((parts.next().unwrap_or_default(), parts.collect()))
}

#[tokio::test]
async fn a_browser_shows_the_token_once() -> anyhow::Result<()> {
    let (running, admin) = with_token().await?;
    let form = Request::get("/").send(admin).await?;
    ensure!(form.text().contains("type=\"password\""), "{}", form.text());
    let wrong = sign_in("wrong-wrong-wrong-wrong").send(admin).await?;
    ensure!(wrong.status == 401 && wrong.header("set-cookie").is_none(), "{}", wrong.text());

    let signed_in = sign_in(TOKEN).send(admin).await?;
    ensure!(signed_in.status == 303 && signed_in.header("location") == Some("/"), "{signed_in:?}");
    let (session, attributes) = cookie(&signed_in)?;
    for wanted in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        ensure!(attributes.iter().any(|one| one == wanted), "{wanted}: {attributes:?}");
    }
    ensure!(!session.contains(TOKEN), "a browser keeps no token: {session}");
    let with = |session: &str| Request::get("/dashboard.json").header("Cookie", session);
    let answer = with(&format!("other=1; {session}")).send(admin).await?;
    ensure!(answer.status == 200 && answer.json()?["wants_token"] == true, "{}", answer.text());
    let changed = session.replace("=1", "=2");
    ensure!(with(&changed).send(admin).await?.status == 401, "{changed}");

    let out = Request::post("/sign-out", "").header("Cookie", &session).send(admin).await?;
    let (empty, attributes) = cookie(&out)?;
    ensure!(attributes.iter().any(|one| one == "Max-Age=0"), "{empty} {attributes:?}");
    ensure!(!running.host.log().text().contains(TOKEN), "the token is in the log");
    Ok(())
}

#[tokio::test]
async fn the_command_line_shows_the_token() -> anyhow::Result<()> {
    let (running, admin) = with_token().await?;
    let ask = async |arguments: &[&str], token: Option<&str>| {
        let mut command = Command::new(artifacts::host_binary()?);
        command.arg("plugins").args(arguments).current_dir(running.folder());
        command.env_remove(WHERE_THE_TOKEN_IS);
        command.envs(token.map(|token| (WHERE_THE_TOKEN_IS, token)));
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        anyhow::Ok((output.status.code(), said))
    };
    let address = admin.to_string();
    let listed = ask(&["--admin", &address], Some(TOKEN)).await?;
    ensure!(listed.0 == Some(0) && listed.1.contains("version-a"), "{listed:?}");
    let without = ask(&["--admin", &address], None).await?;
    ensure!(without.0 == Some(1) && without.1.contains("token"), "{without:?}");
    // The file names the token's source; this host's port is another one than in the file.
    let unset = ask(&[], None).await?;
    ensure!(unset.0 == Some(1) && unset.1.contains(WHERE_THE_TOKEN_IS), "{unset:?}");
    Ok(())
}

#[tokio::test]
async fn a_page_from_elsewhere_cannot_do_anything() -> anyhow::Result<()> {
    let app = App::default().webhook_only().guest("version-a")?;
    let running = Setup::new(app).start().await?;
    let admin = running.host.admin().await?;
    let rollback = Request::post("/plugins/rollback", r#"{"name":"version-a"}"#);
    // There is no previous version, which is an error that only authorised requests reach.
    let own = format!("http://{admin}");
    for (name, value) in [("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")] {
        let allowed = rollback.clone().header(name, value).send(admin).await?;
        ensure!(allowed.status == 409, "{name}: {} {}", allowed.status, allowed.text());
    }
    for (name, value) in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let refused = rollback.clone().header(name, value).send(admin).await?;
        ensure!(refused.status == 403, "{name} {value}: {}", refused.status);
    }
    // A content type that a form can send without a preflight request is refused.
    let as_text = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
    let form = Request { headers: as_text, ..rollback.clone() }.send(admin).await?;
    ensure!(form.status == 415, "{} {}", form.status, form.text());
    Ok(())
}

#[tokio::test]
async fn a_name_that_leads_here_by_a_stranger_s_doing_is_refused() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only()).start().await?;
    let admin = running.host.admin().await?;
    let port = admin.port();
    for (name, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        ("127.0.0.1.evil.example".to_owned(), 421),
    ] {
        for path in ["/", "/dashboard.json", "/plugins"] {
            let answer = Request::get(path).header("Host", &name).send(admin).await?;
            ensure!(answer.status == status, "{name}{path}: {}", answer.status);
        }
    }
    Ok(())
}

/// Checks that a host with this `[admin]` section does not start, and returns its output.
async fn refused(admin: &str, token: &str) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let smallest = "[admin]\nlisten = \"127.0.0.1:0\"";
    let configuration = SMALLEST.replace(smallest, &format!("[admin]\n{admin}"));
    ensure!(configuration != SMALLEST, "it has no {smallest}");
    let mut environment = environment();
    environment.push((WHERE_THE_TOKEN_IS.to_owned(), token.to_owned()));
    let (code, said) = configuration::run(folder.path(), &configuration, &environment).await?;
    ensure!(code == Some(BAD_CONFIGURATION), "{code:?}: {said}");
    ensure!(!said.contains(events::LISTENING.text()), "it listened before it understood: {said}");
    Ok(said)
}

#[tokio::test]
async fn a_port_that_others_can_reach_needs_a_token() -> anyhow::Result<()> {
    let token = format!("token = {{ env = \"{WHERE_THE_TOKEN_IS}\" }}");
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.7:9090"] {
        let said = refused(&format!("listen = \"{address}\""), TOKEN).await?;
        ensure!(said.contains("admin.token"), "{said}");
    }
    for token_of in ["short", "with spaces in between it"] {
        let said = refused(&format!("listen = \"127.0.0.1:0\"\n{token}"), token_of).await?;
        ensure!(said.contains("admin.token") && !said.contains(token_of), "{said}");
    }
    let inline = format!("listen = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"");
    let said = refused(&inline, TOKEN).await?;
    ensure!(said.contains("token") && !said.contains(TOKEN), "{said}");
    Ok(())
}
