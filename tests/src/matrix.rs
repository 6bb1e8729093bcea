//! `discovery_and_handshake_behaviour` of the vectors: the conditions under which the official SDKs were run, and what they did.
//! Cases with a single condition can be repeated; the others are sequences of events.

use anyhow::Context as _;
use lark_simulator::Simulator;
use lark_simulator::script::DiscoveryScript;
use lark_simulator::script::FRESH_TICKET;
use lark_simulator::script::FRESH_URL;
use lark_simulator::script::HandshakeRefusal;
use lark_simulator::script::HandshakeScript;
use lark_simulator::script::OWN_ADDRESS;
use serde_json::Value;
use serde_json::json;

use crate::vectors;

/// JSON pointer to the cases.
const CASES: &str = "/discovery_and_handshake_behaviour";

/// The platform's answer to an attempt to connect.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The discovery request is answered like this.
    Discovery(DiscoveryScript),
    /// Discovery succeeds, and the handshake is answered like this.
    Handshake(HandshakeScript),
}

impl Condition {
    /// Makes the simulator answer that app like this from now on.
    pub fn arrange(&self, simulator: &Simulator, app: &str) -> anyhow::Result<()> {
        let (discovery, handshake) = match self.clone() {
            Self::Discovery(script) => (script, HandshakeScript::Normal),
            Self::Handshake(script) => (DiscoveryScript::Normal, script),
        };
        simulator.set_handshake(app, handshake)?;
        Ok(simulator.set_discovery(app, discovery)?)
    }
}

/// One case with a single condition.
#[derive(Clone, Debug)]
pub struct Case {
    /// The case's name in the vectors.
    pub name: &'static str,
    /// The platform's answer in this case.
    pub condition: Condition,
    /// Behaviour of the Python SDK.
    pub python: Course,
    /// Behaviour of the Node SDK.
    pub node: Course,
}

/// A client's behaviour after an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The client is connected.
    Connects,
    /// The client makes another attempt.
    TriesAgain,
    /// The client makes no further attempt.
    GivesUp,
}

impl Course {
    /// Returns the words for reports.
    pub fn words(self) -> &'static str {
        match self {
            Self::Connects => "connects",
            Self::TriesAgain => "tries again",
            Self::GivesUp => "gives up",
        }
    }
}

/// Returns the cases with a single condition.
pub fn cases() -> anyhow::Result<Vec<Case>> {
    let all = vectors::at(CASES)?.as_object().context("the cases are an object")?;
    let repeatable = all.iter().filter_map(|(name, seen)| Some((name, condition(name)?, seen)));
    repeatable
        .map(|(name, condition, seen)| {
            let python = course(&seen["py"]).with_context(|| format!("{name}: py"))?;
            let node = course(&seen["node"]).with_context(|| format!("{name}: node"))?;
            Ok(Case { name, condition, python, node })
        })
        .collect()
}

/// Returns the names of the other cases.
pub fn stories() -> anyhow::Result<Vec<&'static str>> {
    let all = vectors::at(CASES)?.as_object().context("the cases are an object")?;
    Ok(all.keys().map(String::as_str).filter(|name| condition(name).is_none()).collect())
}

/// Reads the behaviour of one SDK. Its process ended with a code if it gave up, and kept running otherwise.
fn course(seen: &Value) -> Option<Course> {
    Some(match (seen.get("conns")?.as_u64()?, seen.get("rc")?) {
        (1.., _) => Course::Connects,
        (0, Value::Null) => Course::TriesAgain,
        (0, _) => Course::GivesUp,
    })
}

/// Parses the name of a case; `None` if it is not a single condition.
fn condition(name: &str) -> Option<Condition> {
    if let Some(rest) = name.strip_prefix("disc ") {
        return discovery(rest).map(Condition::Discovery);
    }
    if let Some(rest) = name.strip_prefix("query ") {
        return url(rest).map(Condition::Discovery);
    }
    let refusal = handshake(name.strip_prefix("hs ")?)?;
    Some(Condition::Handshake(HandshakeScript::Refuse(refusal)))
}

fn discovery(what: &str) -> Option<DiscoveryScript> {
    let reply = |status, body: Value| DiscoveryScript::Reply { status, body: body.to_string() };
    let config = json!({
        "ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 0, "PingInterval": 120,
    });
    let ok = |data: Value| reply(200, json!({ "code": 0, "msg": "", "data": data }));
    Some(match what {
        "200 not json" => DiscoveryScript::not_json(),
        "HTTP 500 json" => reply(500, json!({ "code": 500, "msg": "some msg" })),
        "HTTP 403 json" => reply(403, json!({ "code": 403, "msg": "denied" })),
        "code=0 data=null" => ok(Value::Null),
        "code=0 URL missing" => ok(json!({ "ClientConfig": config })),
        "code=0 ClientConfig missing" => ok(json!({ "URL": FRESH_URL })),
        "code=0 ClientConfig null" => ok(json!({ "URL": FRESH_URL, "ClientConfig": null })),
        _ => {
            let (code, data) = what.strip_prefix("code=")?.split_once(" data=")?;
            let mut body = json!({ "code": code.parse::<i64>().ok()?, "msg": "some msg" });
            match data {
                "omitted" => {}
                "{}" => body["data"] = json!({}),
                _ => return None,
            }
            reply(200, body)
        }
    })
}

/// One SDK depends on the order of the parameters, the other on their presence.
fn url(what: &str) -> Option<DiscoveryScript> {
    let query = match what {
        "device_id first" => format!("device_id=7&service_id=9&ticket={FRESH_TICKET}"),
        "service_id first" => format!("service_id=9&device_id=7&ticket={FRESH_TICKET}"),
        "no ids" => format!("fpid=493&ticket={FRESH_TICKET}"),
        _ => return None,
    };
    Some(with_query(&query))
}

/// Makes discovery return a URL with that query.
pub fn with_query(query: &str) -> DiscoveryScript {
    let body = json!({
        "code": 0,
        "msg": "",
        "data": {
            "URL": format!("ws://{OWN_ADDRESS}/ws/v2?{query}"),
            "ClientConfig": {
                "ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 0, "PingInterval": 1,
            },
        },
    });
    DiscoveryScript::Reply { status: 200, body: body.to_string() }
}

fn handshake(what: &str) -> Option<HandshakeRefusal> {
    let (status, why) = what.split_once(' ')?;
    let status = status.parse().ok()?;
    let Some(code) = why.strip_prefix("+ Handshake-Status ") else {
        return matches!(why, "no headers" | "no upgrade").then(|| HandshakeRefusal::bare(status));
    };
    let (code, rest) = code.split_once(' ').unwrap_or((code, ""));
    Some(HandshakeRefusal {
        status,
        handshake_status: Some(code.parse().ok()?),
        message: "some msg".to_owned(),
        auth_error_code: match rest.strip_prefix("+ Autherrcode ") {
            Some(code) => Some(code.parse().ok()?),
            None => None,
        },
    })
}
