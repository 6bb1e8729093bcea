//! A command: callback JSON on standard input, reply JSON on standard output. The name of the clicked button selects other
//! behaviour.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is how a command speaks")]

use std::process::ExitCode;

use serde_json::Value;
use serde_json::json;

/// More bytes than any reply may have.
const FLOOD: usize = 1 << 20;

fn main() -> ExitCode {
    let Ok(callback) = serde_json::from_reader::<_, Value>(std::io::stdin()) else {
        return ExitCode::FAILURE;
    };
    eprintln!("asked");
    // A callback of an old card has no envelope.
    let event = callback.get("event").unwrap_or(&callback);
    let event_type = callback.pointer("/header/event_type").and_then(Value::as_str);
    match event.pointer("/action/name").and_then(Value::as_str) {
        Some("silent") => {}
        Some("fail") => {
            eprintln!("the third thing\nwent wrong");
            return ExitCode::from(3);
        }
        Some("panic") => panic!("as asked"),
        Some("flood") => print!("{}", "x".repeat(FLOOD)),
        Some("garbage") => println!("done"),
        Some("spin") => loop {
            std::hint::spin_loop();
        },
        Some(button) => {
            let toast = json!({ "type": "success", "content": format!("clicked {button}") });
            println!("{}", json!({ "toast": toast }));
        }
        None if event_type == Some("url.preview.get") => {
            println!("{}", json!({ "inline": { "title": event["context"]["url"] } }));
        }
        None if event_type == Some("approval.external_options") => println!("{}", options(event)),
        None if event_type == Some("profile.view.get") => println!("{}", what_is_given(&callback)),
        None => {}
    }
    ExitCode::SUCCESS
}

/// Offers one option, which is called as what was searched for.
fn options(event: &Value) -> Value {
    let texts = json!({ "@i18n@1": event["query"] });
    json!({
        "code": 0,
        "msg": "success!",
        "data": { "result": {
            "options": [{ "id": "1", "value": "@i18n@1" }],
            "i18nResources": [{ "locale": "en_us", "isDefault": true, "texts": texts }],
        } },
    })
}

fn what_is_given(callback: &Value) -> Value {
    let environment: serde_json::Map<_, _> =
        std::env::vars().map(|(name, value)| (name, value.into())).collect();
    json!({
        "input": callback,
        "arguments": std::env::args().collect::<Vec<_>>(),
        "environment": environment,
        "files": std::fs::read_dir("/").is_ok(),
    })
}
