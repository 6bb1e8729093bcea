//! Discovery, the handshake, and what follows when a connection is lost.

use std::time::Duration;

use aviary_e2e::matrix;
use aviary_e2e::matrix::Condition;
use aviary_e2e::matrix::Course;
use lark_simulator::Simulator;
use lark_simulator::config::ClientConfig;
use lark_simulator::script::DiscoveryScript;
use lark_simulator::script::HandshakeRefusal;
use lark_simulator::script::HandshakeScript;
use lark_wire::frame::Frame;

use crate::referees::contestant::CONFIG;
use crate::referees::contestant::Line;
use crate::referees::scenario::Scenario;

/// Time after which a client counts as deaf: one that reconnects does so after a second.
const DEAF_AFTER: Duration = Duration::from_secs(8);
/// Time after which a client counts as waiting for ever: the longest time limit of any client is 15 s, and the next attempt comes
/// a second later.
const WAITS_FOR_EVER: Duration = Duration::from_secs(24);
/// The handshake's code for an app of the other domain: the operator has to change the configuration.
const WRONG_DOMAIN: &str = "1000040351";
/// WebSocket close code for a server that goes away.
const GOING_AWAY: u16 = 1001;

/// Returns every condition of the vectors, and further ones that they lack.
pub(crate) fn conditions() -> anyhow::Result<Vec<Scenario>> {
    let mut all = vec![under("discovery in order", None).all("connects")];
    for case in matrix::cases()? {
        let (python, node) = (case.python, case.node);
        let (aviary, fault) = aviary(case.name, python, node);
        let scenario = under(&readable(case.name), Some(case.condition));
        let scenario = scenario.each(aviary.words(), python.words(), node.words());
        all.push(match fault {
            Some(fault) => scenario.fault(fault),
            None => scenario,
        });
    }
    let bare = HandshakeScript::Refuse(HandshakeRefusal::bare(403));
    all.push(
        under("handshake: 403 no headers", Some(Condition::Handshake(bare))).all("tries again"),
    );
    all.push(
        under("an app id that is not cli_ and 16 hex digits", None)
            .with_short_id()
            .each("connects", "connects", "nothing happens")
            .fault("Node asks nobody, reports nothing and ends"),
    );
    all.push(
        Scenario::new("discovery never answers", |line: Line| async move {
            line.started().await?;
            line.wait("discovery", |line| line.counters().discoveries > 0).await?;
            line.simulator().set_discovery(line.app(), DiscoveryScript::Hang)?;
            // Counts the attempt without an answer, and the next one.
            let enough = line.counters().discoveries + 2;
            let again = |line: &Line| line.counters().discoveries >= enough;
            let outcome = line.sees(WAITS_FOR_EVER, again).await;
            Ok(if outcome { "tries again" } else { "waits on" }.to_owned())
        })
        .prepared(first_step)
        .each("tries again", "waits on", "tries again")
        .fault("Python has no time limit, and has been deaf for days"),
    );
    all.push(
        Scenario::new("URL: service_id first, the ping", service_of_the_ping)
            .prepared(|simulator, app| {
                let query = "service_id=9&device_id=7&ticket=$TICKET";
                Ok(simulator.set_discovery(app, matrix::with_query(query))?)
            })
            .each("the URL's service", "the URL's service", "service 0")
            .fault("Node loses the first parameter of the URL"),
    );
    // Any answer shows that a client is alive.
    Ok(all.into_iter().map(Scenario::without_handlers).collect())
}

/// The vectors' name of a condition, in words.
fn readable(name: &str) -> String {
    let name = match name.split_once(' ') {
        Some(("disc", rest)) => format!("discovery: {rest}"),
        Some(("hs", rest)) => format!("handshake: {rest}"),
        Some(("query", rest)) => format!("URL: {rest}"),
        _ => name.to_owned(),
    };
    name.replace("code=", "code ")
        .replace(" data=omitted", ", no data")
        .replace(" data=", ", data ")
}

/// Returns the host's behaviour under a condition of the vectors, and the fault of the SDK that behaves differently.
fn aviary(name: &str, python: Course, node: Course) -> (Course, Option<&'static str>) {
    let fault = match (name, python == node) {
        (name, _) if name.contains(WRONG_DOMAIN) => {
            return (Course::GivesUp, Some("The SDKs dial the wrong domain for ever"));
        }
        (_, true) => return (python, None),
        ("query no ids", _) => {
            return (
                node,
                Some("Python does not connect without the number that only pings carry"),
            );
        }
        (name, _) if name.contains("ClientConfig") => {
            "Node does not connect without a configuration, which has defaults"
        }
        (name, _) if name.starts_with("hs ") => {
            "Node does not read why a handshake is refused, and dials for ever"
        }
        _ => "Node goes by whether `data` is an object, not by the code",
    };
    // The host reads the code and decides as the Python SDK does.
    (python, Some(fault))
}

/// Builds a scenario in which a client tries to connect under that condition. The first attempt gets a configuration with an
/// interval of one second, and a handshake that fails in a way which all retry, so that no two minutes pass between attempts.
fn under(name: &str, condition: Option<Condition>) -> Scenario {
    Scenario::new(name, move |line: Line| {
        let condition = condition.clone();
        async move {
            line.started().await?;
            let asked = |line: &Line| line.counters().discoveries > 0;
            if !line.sees(DEAF_AFTER, asked).await {
                return Ok("nothing happens".to_owned());
            }
            match condition {
                Some(condition) => condition.arrange(line.simulator(), line.app())?,
                None => line.simulator().set_discovery(line.app(), DiscoveryScript::Normal)?,
            }
            let before = line.counters().discoveries;
            // One of the attempts may have begun earlier.
            let again = move |line: &Line| line.counters().discoveries >= before + 2;
            line.wait("a next step", |line| {
                line.is_connected() || line.has_given_up() || again(line)
            })
            .await?;
            let course = match (line.is_connected(), line.has_given_up()) {
                (true, _) => Course::Connects,
                (false, true) => Course::GivesUp,
                (false, false) => Course::TriesAgain,
            };
            Ok(course.words().to_owned())
        }
    })
    .prepared(first_step)
}

/// Makes discovery return a configuration with an interval of one second, and a ticket that is refused.
fn first_step(simulator: &Simulator, app: &str) -> anyhow::Result<()> {
    let refused = "fpid=1&device_id=7&service_id=9&ticket=nobody's";
    Ok(simulator.set_discovery(app, matrix::with_query(refused))?)
}

async fn service_of_the_ping(line: Line) -> anyhow::Result<String> {
    let ping = |line: &Line| line.simulator().last_ping(line.app());
    line.wait("a ping", |line| ping(line).is_some()).await?;
    let ping = Frame::parse(ping(&line).unwrap_or_default())?;
    Ok(match ping.service {
        9 => "the URL's service".to_owned(),
        other => format!("service {other}"),
    })
}

/// Returns the scenarios of clients whose connections were up.
pub(crate) fn stories() -> Vec<Scenario> {
    let zombie = "Python's process stays, deaf, and tells nobody";
    vec![
        Scenario::new("the connection breaks", |line: Line| async move {
            line.connected().await?;
            line.simulator().drop_connections(line.app())?;
            comes_back(&line, 1).await
        })
        .all("connects again"),
        Scenario::new("the platform closes the connection", |line: Line| async move {
            line.connected().await?;
            line.simulator().close_connections(line.app(), GOING_AWAY)?;
            comes_back(&line, 1).await
        })
        .all("connects again"),
        Scenario::new("closed, then refused for good", |line: Line| async move {
            line.connected().await?;
            let refusal =
                DiscoveryScript::Refuse { code: 1_000_040_345, msg: "bad secret".to_owned() };
            line.simulator().set_discovery(line.app(), refusal)?;
            line.simulator().close_connections(line.app(), GOING_AWAY)?;
            comes_back(&line, 2).await
        })
        .each("gives up", "deaf", "gives up")
        .fault(zombie),
        refused_while_away("closed, then 502, ReconnectCount 0", 0)
            .each("connects again", "deaf", "gives up")
            .fault("The SDKs stop for good when the count is used up; Python says nothing"),
        refused_while_away("closed, then 502 three times, ReconnectCount 2", 2)
            .each("connects again", "deaf", "gives up")
            .fault("The SDKs stop for good when the count is used up; Python says nothing"),
        Scenario::new("the platform goes silent, TCP stays up", |line: Line| async move {
            line.connected().await?;
            let before = line.counters().handshakes;
            line.simulator().silence(line.app())?;
            let again = |line: &Line| line.counters().handshakes > before;
            let outcome = line.sees(DEAF_AFTER, again).await;
            Ok(if outcome { "dials again" } else { "does not notice" }.to_owned())
        })
        .prepared(|simulator, app| {
            let config = ClientConfig { ping_interval: 1, ..CONFIG };
            Ok(simulator.set_client_config(app, config)?)
        })
        .each("dials again", "does not notice", "does not notice")
        .fault("No SDK misses the answers to its pings"),
    ]
    .into_iter()
    .map(Scenario::without_handlers)
    .collect()
}

/// The platform closes, refuses a few handshakes, and recovers. The limit of attempts is only set once there is a connection: an
/// SDK counts the very first attempt too, and on a busy machine that may fail.
fn refused_while_away(name: &str, count: i64) -> Scenario {
    let every_second = ClientConfig { ping_interval: 1, ..CONFIG };
    let counted = ClientConfig { reconnect_count: count, ..every_second };
    Scenario::new(name, move |line: Line| async move {
        line.connected().await?;
        line.simulator().set_client_config(line.app(), counted)?;
        let before = line.counters().pings;
        line.wait("the pong that says so", |line| line.counters().pings >= before + 2).await?;
        let bad_gateway = HandshakeScript::Refuse(HandshakeRefusal::bare(502));
        line.simulator().set_handshake(line.app(), bad_gateway)?;
        line.simulator().close_connections(line.app(), GOING_AWAY)?;
        // The first handshake, all attempts that are allowed, and one more.
        let refused = u64::try_from(count).unwrap_or_default() + 2;
        line.sees(DEAF_AFTER, |line| line.counters().handshakes > refused || line.has_given_up())
            .await;
        line.simulator().set_handshake(line.app(), HandshakeScript::Normal)?;
        comes_back(&line, 2).await
    })
    .prepared(move |simulator, app| Ok(simulator.set_client_config(app, every_second)?))
}

/// Observes a client whose connection was ended, and says whether it came back.
async fn comes_back(line: &Line, attempts: u64) -> anyhow::Result<String> {
    let dialed = |line: &Line| line.counters().discoveries > attempts && line.is_connected();
    line.sees(DEAF_AFTER, |line| dialed(line) || line.has_given_up()).await;
    if line.has_given_up() {
        return Ok("gives up".to_owned());
    }
    if dialed(line) && line.is_alive().await? {
        return Ok("connects again".to_owned());
    }
    Ok("deaf".to_owned())
}
