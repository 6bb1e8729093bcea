//! Calls every function of the contract with arguments that might succeed, tries everything in WASI, and writes each result to
//! the log as `function: outcome`. Only the log is granted to it.

use std::net::TcpStream;
use std::net::ToSocketAddrs as _;
use std::net::UdpSocket;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::card::CardBuilder;
use aviary_sdk::config;
use aviary_sdk::deferred;
use aviary_sdk::http;
use aviary_sdk::key_value::Bucket;
use aviary_sdk::log;
use aviary_sdk::log::Level;
use aviary_sdk::open_api;
use aviary_sdk::open_api::ApiRequest;
use aviary_sdk::request;
use aviary_sdk::sealed;
use aviary_sdk::sealed::Seal;
use aviary_sdk::serde_json::json;

/// Files that may hold the host's secrets.
const FILES: [&str; 5] =
    ["/proc/self/environ", "/etc/passwd", "aviary.toml", "../aviary.toml", "aviary.redb"];
/// Requests that would return tokens if they were allowed, with paths that some servers treat as the same.
const PATHS: [&str; 5] = [
    "/open-apis/auth/v3/tenant_access_token/internal",
    "/open-apis/im/v1/messages",
    "/open-apis/../open-apis/im/v1/messages",
    "/open-apis/im/v1/messages?a=b",
    "http://127.0.0.1/open-apis/im/v1/messages",
];

/// Addresses of servers that answer, and of the services where clouds hand out credentials.
const URLS: [&str; 4] = [
    "https://open.feishu.cn/open-apis/im/v1/messages",
    "http://127.0.0.1/",
    "http://localhost:80/",
    "http://169.254.169.254/latest/meta-data/",
];

aviary_sdk::export!(card_action: answer);

fn answer(_: CardAction) -> Result<CardReply, Failure> {
    tell("request.raw", request::raw());
    tell("request.remaining-ms", request::remaining().as_millis() < 60_000);
    let (get, all) = (config::get("app_secret"), config::get_all());
    tell("store.get", get);
    tell("store.get-all", all);
    for path in PATHS {
        let (get, post) =
            (ApiRequest::get(path), ApiRequest::post(path, &json!({ "app_id": "x" })));
        tell("open-api.call", open_api::call(&get));
        tell("open-api.call", open_api::call(&post.tenant("another")));
    }
    for url in URLS {
        tell("outgoing-handler.handle", http::get(url));
    }
    for bucket in ["", "default", "shared", "../own/other", "cli_0123456789abcdef/own/keeps"] {
        tell("store.open", Bucket::open_shared(bucket));
    }
    tell(
        "deferred.update-card",
        deferred::update_card(CardBuilder::new().markdown("late").build()),
    );
    tell("sealed-values.seal", Seal::for_days(31).value(&json!({})));
    tell("sealed-values.is-sealed", sealed::require());
    log::write(Level::Info, "contract", "logging.log: this line");
    for file in FILES {
        tell("filesystem", std::fs::read_to_string(file));
        tell("filesystem", std::fs::write(file, "overwritten"));
    }
    tell("filesystem", std::fs::read_dir("/").map(Iterator::count));
    tell("environment", std::env::vars().collect::<Vec<_>>());
    tell("arguments", std::env::args().collect::<Vec<_>>());
    tell("sockets", TcpStream::connect("127.0.0.1:80"));
    tell("sockets", UdpSocket::bind("127.0.0.1:0"));
    tell("sockets", "localhost:80".to_socket_addrs().map(Iterator::count));
    Ok(Toast::info("tried").into())
}

fn tell(function: &str, outcome: impl std::fmt::Debug) {
    log::write(Level::Info, "contract", format_args!("{function}: {outcome:?}"));
}
