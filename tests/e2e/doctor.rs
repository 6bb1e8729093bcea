//! `aviary doctor` names the cause in each of many broken set-ups, and finds nothing in a sound one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::APP_ID;
use aviary_e2e::APP_SECRET;
use aviary_e2e::artifacts;
use aviary_e2e::certificates::TestAuthority;
use aviary_e2e::host::HostProcess;
use aviary_e2e::platform::Platform;
use aviary_e2e::setup::App;
use aviary_e2e::setup::to_toml;
use lark_simulator::script::ApplicationScript;
use lark_simulator::script::DiscoveryScript;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

/// A folder with a working configuration, and its platform.
struct Clinic {
    platform: Platform,
    folder: TempDir,
    configuration: Value,
    environment: Vec<(String, String)>,
}

impl Clinic {
    async fn open() -> anyhow::Result<Self> {
        let platform = Platform::start(&[App::default()], None).await?;
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("plugins"))?;
        std::fs::copy(artifacts::guest("version-a")?, folder.path().join("plugins/a.wasm"))?;
        std::fs::write(folder.path().join("secret"), APP_SECRET)?;
        let configuration = json!({
            "app": [{
                "id": APP_ID,
                "secret": { "file": "secret" },
                "domain": platform.domain(),
                "plugins": "plugins",
                "long_connection": {},
            }],
        });
        Ok(Self { platform, folder, configuration, environment: Vec::new() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn app(&mut self) -> &mut Value {
        &mut self.configuration["app"][0]
    }

    /// Configures the app for callbacks over a webhook only.
    fn by_webhook(&mut self) -> anyhow::Result<()> {
        if let Some(app) = self.app().as_object_mut() {
            app.remove("long_connection");
        }
        std::fs::write(self.path().join("token"), "t")?;
        self.app()["verification_token"] = json!({ "file": "token" });
        self.app()["webhook"] = json!({ "path": "/callback" });
        self.configuration["webhook"] = json!({ "listen": "127.0.0.1:0" });
        Ok(())
    }

    fn discovery(&self, code: i64, msg: &str) -> anyhow::Result<()> {
        let refuse = DiscoveryScript::Refuse { code, msg: msg.to_owned() };
        Ok(self.platform.simulator().set_discovery(APP_ID, refuse)?)
    }

    fn application(&self, told: Value) -> anyhow::Result<()> {
        let script = ApplicationScript::Tell(told);
        Ok(self.platform.simulator().set_application(APP_ID, script)?)
    }

    /// Runs the doctor. Returns true if it found no problem, and its findings.
    async fn diagnosis(&self) -> anyhow::Result<(bool, Vec<Value>)> {
        std::fs::write(self.path().join("aviary.toml"), to_toml(&self.configuration)?)?;
        self.diagnosis_of("aviary.toml").await
    }

    async fn diagnosis_of(&self, file: &str) -> anyhow::Result<(bool, Vec<Value>)> {
        let arguments = ["doctor", "--json", "--config", file];
        let mut doctor = HostProcess::start(&arguments, self.path(), &self.environment)?;
        let exit = doctor.wait().await?;
        let said: Value = serde_json::from_str(&doctor.stdout().text()).context("no JSON")?;
        let ok = said["ok"].as_bool().context("no verdict")?;
        ensure!(exit.status.code() == Some(i32::from(!ok)), "{exit:?}: {said}");
        ensure!(!said.to_string().contains(APP_SECRET), "the secret is shown: {said}");
        Ok((ok, said["findings"].as_array().cloned().unwrap_or_default()))
    }
}

/// Checks that one finding of that level contains `what`, and that its advice contains `next`.
fn finds(findings: &[Value], level: &str, what: &str, next: &str) -> anyhow::Result<()> {
    let text =
        |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_lowercase();
    let fits = |finding: &&Value| {
        let said = text(finding, "about") + ": " + &text(finding, "what");
        finding["level"] == level
            && said.contains(&what.to_lowercase())
            && text(finding, "next").contains(&next.to_lowercase())
    };
    ensure!(findings.iter().any(|finding| fits(&finding)), "no {level} {what:?}: {findings:#?}");
    let complete = |finding: &Value| {
        finding["level"] == "fine"
            || !text(finding, "why").is_empty() && !text(finding, "next").is_empty()
    };
    ensure!(findings.iter().all(complete), "a finding without a reason or a next step");
    Ok(())
}

#[tokio::test]
async fn nothing_is_wrong_where_nothing_is_wrong() -> anyhow::Result<()> {
    let clinic = Clinic::open().await?;
    clinic.application(json!({
        "online_version_id": "oav_1",
        "callback_info": { "callback_type": "websocket", "subscribed_callbacks": ["card.action.trigger"] },
    }))?;
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(ok, "{findings:#?}");
    // Findings about the machine, which no configuration changes.
    let of_the_machine = ["kernel", "swap"];
    let harmless = |finding: &Value| {
        finding["level"] == "fine" || of_the_machine.iter().any(|about| finding["about"] == *about)
    };
    ensure!(findings.iter().all(harmless), "{findings:#?}");
    finds(&findings, "fine", "long connection is offered", "")?;
    ensure!(clinic.platform.simulator().connected(APP_ID) == 0, "it opens no connection");
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_does_not_start_is_explained() -> anyhow::Result<()> {
    let clinic = Clinic::open().await?;
    let (ok, findings) = clinic.diagnosis_of("nowhere.toml").await?;
    ensure!(!ok);
    finds(&findings, "fault", "nowhere.toml", "--config")?;

    type Break = fn(&mut Clinic) -> anyhow::Result<()>;
    let cases: [(&str, &str, Break); 10] = [
        ("surprise", "mend that line", |clinic| {
            clinic.app()["surprise"] = true.into();
            Ok(())
        }),
        ("NOT_SET_ANYWHERE is not set", "put the secret", |clinic| {
            clinic.app()["secret"] = json!({ "env": "NOT_SET_ANYWHERE" });
            Ok(())
        }),
        ("is empty", "put the secret", |clinic| {
            Ok(std::fs::write(clinic.path().join("secret"), "\n")?)
        }),
        ("is not a folder", "change that value", |clinic| {
            clinic.app()["plugins"] = "elsewhere".into();
            Ok(())
        }),
        ("webhook.listen: missing", "change that value", |clinic| {
            clinic.by_webhook()?;
            clinic.configuration["webhook"] = json!({});
            Ok(())
        }),
        ("anybody could send callbacks", "change that value", |clinic| {
            clinic.app()["webhook"] = json!({ "path": "/callback" });
            Ok(())
        }),
        ("admin.token", "change that value", |clinic| {
            clinic.configuration["admin"] = json!({ "listen": "192.0.2.1:80" });
            Ok(())
        }),
        ("cannot be had", "address of this machine", |clinic| {
            // An address that is reserved for documentation: no machine has it.
            let token = json!({ "file": "secret" });
            clinic.configuration["admin"] = json!({ "listen": "192.0.2.1:80", "token": token });
            Ok(())
        }),
        ("cannot be written", "[store] path", |clinic| {
            clinic.configuration["store"] = json!({ "path": "no/such/folder/aviary.redb" });
            Ok(())
        }),
        ("secret is not a folder", "[journal] path", |clinic| {
            clinic.configuration["journal"] = json!({ "path": "secret/journal" });
            Ok(())
        }),
    ];
    for (what, next, break_it) in cases {
        let mut clinic = Clinic::open().await?;
        break_it(&mut clinic)?;
        let (ok, findings) = clinic.diagnosis().await?;
        ensure!(!ok, "{what}: {findings:#?}");
        finds(&findings, "fault", what, next)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_works_and_may_not_for_long_is_a_warning() -> anyhow::Result<()> {
    let mut clinic = Clinic::open().await?;
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    clinic.configuration["admin"] = json!({ "listen": taken.local_addr()?.to_string() });
    clinic.platform.simulator().set_application(APP_ID, ApplicationScript::Forbid)?;
    let folder = clinic.path().join("plugins");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
    clinic.discovery(1, "system busy")?;
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(ok, "{findings:#?}");
    finds(&findings, "note", "is taken", "another")?;
    finds(&findings, "note", "may not read its own settings", "self_manage")?;
    finds(&findings, "warning", "everybody on this machine may write", "chmod")?;
    finds(&findings, "warning", "system busy", "again")?;

    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
    std::fs::remove_file(folder.join("a.wasm"))?;
    let (_, findings) = clinic.diagnosis().await?;
    finds(&findings, "warning", "there is no plugin", "live at once")?;

    let cache = clinic.path().join("cache");
    std::fs::create_dir(&cache)?;
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777))?;
    clinic.configuration["cache"] = json!({ "path": "cache" });
    let (_, findings) = clinic.diagnosis().await?;
    finds(&findings, "warning", "others can write to it", "[cache] path")
}

#[tokio::test]
async fn a_plugin_that_a_host_does_not_take_is_named() -> anyhow::Result<()> {
    type Break = fn(&Path) -> anyhow::Result<()>;
    let cases: [(&str, &str, &str, Break); 4] = [
        ("fault", "b.wasm: a host does not take it", "aviary check", |folder| {
            std::fs::copy(artifacts::guest("exports-nothing")?, folder.join("b.wasm"))?;
            Ok(())
        }),
        ("fault", "AVIARY_PLUGIN_UNSET is not set", "aviary check", |folder| {
            let sidecar = "[settings]\nkey = { env = \"AVIARY_PLUGIN_UNSET\" }\n";
            Ok(std::fs::write(folder.join("a.toml"), sidecar)?)
        }),
        ("fault", "b.wasm: it claims the same callbacks as the plugin a", "[[route]]", |folder| {
            std::fs::copy(artifacts::guest("version-b")?, folder.join("b.wasm"))?;
            Ok(())
        }),
        ("note", "requests to the server API are refused to it", "grant it", |folder| {
            std::fs::copy(artifacts::guest("calls-open-api")?, folder.join("a.wasm"))?;
            Ok(())
        }),
    ];
    for (level, what, next, break_it) in cases {
        let clinic = Clinic::open().await?;
        break_it(&clinic.path().join("plugins"))?;
        let (ok, findings) = clinic.diagnosis().await?;
        ensure!(ok == (level != "fault"), "{what}: {findings:#?}");
        finds(&findings, level, what, next)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_platform_that_cannot_be_reached_is_explained() -> anyhow::Result<()> {
    let mut clinic = Clinic::open().await?;
    let nobody = TcpListener::bind("127.0.0.1:0").await?;
    let closed = format!("http://{}", nobody.local_addr()?);
    drop(nobody);
    let working = clinic.platform.domain();
    clinic.app()["domain"] = closed.clone().into();
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(!ok);
    finds(&findings, "fault", "cannot be reached", "firewall")?;

    // A name of that length is invalid, so no network is queried for it.
    clinic.app()["domain"] = format!("http://{}.example", "x".repeat(64)).into();
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(!ok);
    finds(&findings, "fault", "cannot be reached", "DNS")?;

    clinic.app()["domain"] = working.into();
    clinic.environment = vec![("HTTP_PROXY".to_owned(), closed)];
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(!ok);
    finds(&findings, "fault", "with HTTP_PROXY set", "NO_PROXY")?;

    let authority = TestAuthority::new()?;
    let platform = Platform::start(&[App::default()], Some(authority.server())).await?;
    clinic.environment = Vec::new();
    clinic.app()["domain"] = platform.domain().into();
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(!ok);
    finds(&findings, "fault", "certificate", "extra_roots")
}

/// Answers every request with the date of the first day of 2001.
async fn platform_of_long_ago() -> anyhow::Result<String> {
    const ANSWER: &[u8] = b"HTTP/1.1 404 Not Found\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n\
        Connection: close\r\nContent-Length: 0\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let domain = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The head is all that is needed to answer.
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(ANSWER).await;
        }
    });
    Ok(domain)
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_noticed() -> anyhow::Result<()> {
    let mut clinic = Clinic::open().await?;
    clinic.app()["domain"] = platform_of_long_ago().await?.into();
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(!ok);
    finds(&findings, "fault", "clock", "chrony")
}

#[tokio::test]
async fn a_refusal_of_the_platform_is_explained() -> anyhow::Result<()> {
    for (code, words, next) in [
        (1_000_040_345, "wrong id or secret", "long connection"),
        (1_000_040_350, "too many connections", "another host"),
        (1_000_040_351, "wrong domain", "lark"),
        (403, "forbidden", "disabled"),
    ] {
        let clinic = Clinic::open().await?;
        clinic.discovery(code, words)?;
        let (ok, findings) = clinic.diagnosis().await?;
        ensure!(!ok);
        finds(&findings, "fault", words, next)?;
    }
    let mut clinic = Clinic::open().await?;
    clinic.by_webhook()?;
    std::fs::write(clinic.path().join("secret"), "of another app")?;
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(!ok);
    finds(&findings, "fault", "code 10014", "reset")
}

#[tokio::test]
async fn what_the_console_holds_is_compared() -> anyhow::Result<()> {
    let callbacks = |kind: &str, subscribed: &[&str]| {
        json!({
            "online_version_id": "oav_1",
            "callback_info": { "callback_type": kind, "subscribed_callbacks": subscribed },
        })
    };
    let new = "card.action.trigger";
    for (told, level, what, next) in [
        (json!({ "online_version_id": "" }), "fault", "no version", "publish"),
        (json!({ "status": 0 }), "fault", "not enabled in its tenant", "administrator"),
        (json!({ "unaudit_version_id": "oav_2" }), "note", "waits to be reviewed", "review it"),
        (json!({}), "note", "does not tell what is subscribed", "look into the console"),
        (callbacks("webhook", &[new]), "fault", "the configuration has none", "webhook ="),
        (callbacks("websocket", &[]), "fault", "no callback is subscribed", "subscribe to"),
        (
            callbacks("websocket", &[new, "card.action.trigger_v1"]),
            "warning",
            "both subscribed",
            "take card.action.trigger_v1 out",
        ),
        (
            callbacks("websocket", &[new, "url.preview.get"]),
            "warning",
            "url.preview.get is subscribed, and no plugin answers it",
            "put a plugin for it",
        ),
        (
            callbacks("websocket", &["url.preview.get"]),
            "warning",
            "the plugin a answers card.action.trigger, which is not subscribed",
            "subscribe to it",
        ),
    ] {
        let clinic = Clinic::open().await?;
        clinic.application(told)?;
        let (ok, findings) = clinic.diagnosis().await?;
        ensure!(ok == (level != "fault"), "{findings:#?}");
        finds(&findings, level, what, next)?;
    }
    let mut clinic = Clinic::open().await?;
    clinic.by_webhook()?;
    clinic.application(callbacks("websocket", &[new]))?;
    let (ok, findings) = clinic.diagnosis().await?;
    ensure!(!ok);
    finds(&findings, "fault", "the configuration has none", "long_connection =")
}
