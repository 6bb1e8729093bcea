//! The three contestants at work, and a scenario's view of one of them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;
use aviary::telemetry::events;
use aviary_e2e::APP_SECRET;
use aviary_e2e::PATIENCE;
use aviary_e2e::artifacts;
use aviary_e2e::referee::Sdk;
use aviary_e2e::referee::process::Referee;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Keys;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::Simulator;
use lark_simulator::config::ClientConfig;
use lark_simulator::config::SimulatedApp;
use lark_simulator::config::SimulatorConfig;
use lark_simulator::fragment::Envelope;
use lark_simulator::record::Counters;
use lark_wire::frame::Frame;
use lark_wire::secret::Secret;

use crate::referees::scenario::By;
use crate::referees::scenario::Handlers;
use crate::referees::scenario::Scenario;

/// Time between two polls.
const POLL: Duration = Duration::from_millis(20);
/// Wait for an unexpected reply, which would come before, or right after, the reply to a later message.
const STRAGGLERS: Duration = Duration::from_millis(300);
/// Time to wait for one message's answer before it is sent again: the client may have been reconnecting.
const ONE_TRY: Duration = Duration::from_secs(3);

/// Silence after which the host gives up on a connection. With a ping every second, it notices a silent platform while the
/// scenario still observes; a busy simulator is never silent for so long.
const SILENCE_MS: u64 = 3000;

/// Settings that discovery returns: tests do not wait two minutes for a reconnect.
pub(crate) const CONFIG: ClientConfig = ClientConfig {
    reconnect_count: -1,
    reconnect_interval: 1,
    reconnect_nonce: 0,
    ping_interval: 120,
};

/// A client that takes part in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contestant {
    Aviary = 0,
    Python = 1,
    Node = 2,
}

/// All contestants, and the platform they are connected to.
pub(crate) struct Field {
    simulator: Arc<Simulator>,
    aviary: Option<Arc<Running>>,
    python: Option<Arc<Referee>>,
    node: Option<Arc<Referee>>,
}

impl Field {
    /// Starts the platform with an app for each scenario and contestant, the host, and the SDKs that this machine has.
    pub(crate) async fn start(
        scenarios: &[Scenario],
        contestants: &[Contestant],
    ) -> anyhow::Result<Self> {
        let plays = |who| contestants.contains(&who);
        let sdk = |sdk, who| if plays(who) { Referee::start(sdk) } else { Ok(None) };
        let (python, node) =
            (sdk(Sdk::Python, Contestant::Python)?, sdk(Sdk::Node, Contestant::Node)?);
        let simulator = Arc::new(platform(scenarios, contestants).await?);
        let aviary = match plays(Contestant::Aviary) {
            true => Some(Arc::new(host(scenarios, &simulator).await?)),
            false => None,
        };
        Ok(Self { simulator, aviary, python: python.map(Arc::new), node: node.map(Arc::new) })
    }

    /// Returns the contestants that were started.
    pub(crate) fn present(&self) -> impl Iterator<Item = Contestant> {
        let aviary = self.aviary.is_some().then_some(Contestant::Aviary);
        let python = self.python.is_some().then_some(Contestant::Python);
        let node = self.node.is_some().then_some(Contestant::Node);
        [aviary, python, node].into_iter().flatten()
    }

    /// Starts that contestant's client for that scenario.
    pub(crate) fn line(
        &self,
        index: usize,
        scenario: &Scenario,
        who: Contestant,
    ) -> anyhow::Result<Line> {
        let app = scenario.app_id(index, who);
        let client = match who {
            Contestant::Aviary => self.aviary.clone().map(Client::Aviary),
            Contestant::Python => self.python.clone().map(Client::Sdk),
            Contestant::Node => self.node.clone().map(Client::Sdk),
        };
        let client = client.context("only those who are present get a line")?;
        if let (Client::Sdk(referee), By::LongConnection) = (&client, scenario.by()) {
            let handlers = scenario.handlers() == Handlers::Registered;
            referee.connect(&app, &self.simulator.domain(), handlers)?;
        }
        Ok(Line { simulator: Arc::clone(&self.simulator), app, client })
    }
}

async fn platform(scenarios: &[Scenario], contestants: &[Contestant]) -> anyhow::Result<Simulator> {
    let all = || {
        scenarios.iter().enumerate().flat_map(|(index, scenario)| {
            contestants.iter().map(move |who| (scenario.app_id(index, *who), scenario))
        })
    };
    // Some scenarios share an app.
    let ids: BTreeSet<_> = all().map(|(id, _)| id).collect();
    let apps = ids.into_iter().map(|id| SimulatedApp::new(id, Secret::new(APP_SECRET))).collect();
    let mut config = SimulatorConfig::on_loopback(apps);
    config.client_config = CONFIG;
    let simulator = Simulator::start(config).await?;
    for (id, scenario) in all() {
        scenario.prepare(&simulator, &id)?;
    }
    Ok(simulator)
}

/// Starts a host with an app for each scenario, and one for each of the referees' webhooks.
async fn host(scenarios: &[Scenario], simulator: &Simulator) -> anyhow::Result<Running> {
    let guest = artifacts::guest("as-asked")?;
    let answering = |app: App| {
        // The SDKs acknowledge an event when its handler has ended, too.
        app.component("as-asked", guest.clone(), None).acknowledging_when_done()
    };
    let mut apps = vec![
        answering(App::new("cli_encrypted", "/encrypted").encrypted().webhook_only()),
        answering(App::new("cli_plain", "/plain").webhook_only()),
        answering(
            App::new("cli_legacy", "/legacy").with_keys(Keys::TokenAndEncryptKey).webhook_only(),
        ),
        App::new("cli_none", "/none").webhook_only(),
    ];
    let connected: BTreeMap<_, _> = scenarios
        .iter()
        .enumerate()
        .filter(|(_, scenario)| scenario.by() == By::LongConnection)
        .map(|(index, scenario)| (scenario.app_id(index, Contestant::Aviary), scenario.handlers()))
        .collect();
    for (id, handlers) in connected {
        let app = App::new(&id, sender::PATH).long_connection_only().silence_ms(SILENCE_MS);
        apps.push(match handlers {
            Handlers::Registered => answering(app),
            Handlers::Missing => app,
        });
    }
    let running = Setup::with_apps(apps).against(simulator.domain()).launch(false).await?;
    running.host.webhook().await?;
    Ok(running)
}

#[derive(Clone)]
enum Client {
    Aviary(Arc<Running>),
    Sdk(Arc<Referee>),
}

/// A contestant in one scenario.
#[derive(Clone)]
pub(crate) struct Line {
    simulator: Arc<Simulator>,
    app: String,
    client: Client,
}

impl Line {
    pub(crate) fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    pub(crate) fn app(&self) -> &str {
        &self.app
    }

    /// Waits until the client is ready for its first step. The host starts one app after another, so this waits for the step
    /// itself.
    pub(crate) async fn started(&self) -> anyhow::Result<()> {
        match &self.client {
            Client::Aviary(_) => {
                self.wait("discovery", |line| line.counters().discoveries > 0).await
            }
            Client::Sdk(referee) => referee.webhook().await.map(|_| ()),
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        self.simulator.counters(&self.app)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.simulator.connected(&self.app) > 0
    }

    /// Returns true if the client said that it gives up.
    pub(crate) fn has_given_up(&self) -> bool {
        match &self.client {
            Client::Aviary(running) => {
                let given_up = [("app", self.app.as_str())];
                !running
                    .host
                    .log()
                    .lines(|line| line.is(events::CONNECTION_GIVEN_UP, &given_up))
                    .is_empty()
            }
            Client::Sdk(referee) => referee.ended(&self.app).is_some(),
        }
    }

    /// Waits until `holds` is true; returns false after the limit.
    pub(crate) async fn sees(&self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let started = Instant::now();
        while !holds(self) {
            if started.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }

    /// Waits until `holds` is true, and fails with `what` after the limit.
    pub(crate) async fn wait(
        &self,
        what: &str,
        holds: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        if !self.sees(2 * PATIENCE, holds).await {
            bail!("{what}: not in time; {:?}", self.counters());
        }
        Ok(())
    }

    /// Waits for the connection, and for the first ping: an SDK loses what arrives together with the answer to its
    /// handshake.
    pub(crate) async fn connected(&self) -> anyhow::Result<()> {
        self.wait("a connection", |line| line.is_connected() && line.counters().pings > 0).await
    }

    pub(crate) fn envelope(&self) -> anyhow::Result<Envelope> {
        Ok(self.simulator.envelope(&self.app)?)
    }

    pub(crate) async fn send(&self, frame: &Frame) -> anyhow::Result<()> {
        Ok(self.simulator.send_frame(&self.app, frame).await?)
    }

    /// Returns the replies so far to the message with this id.
    pub(crate) fn replies(&self, message_id: &str) -> Vec<Frame> {
        let mut replies = self.simulator.stray_answers(&self.app);
        replies.retain(|reply| reply.header("message_id") == Some(message_id));
        replies
    }

    /// Checks that the client, which may be reconnecting, answers an ordinary click. Earlier messages have been handled by then.
    pub(crate) async fn is_alive(&self) -> anyhow::Result<bool> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            self.connected().await?;
            let envelope = self.envelope()?;
            let payload = sender::click("alive").to_string().into();
            // An error means that the client is not online; the next round waits for the connection.
            let _ = self.simulator.send_frame(&self.app, &envelope.frame(1, 0, payload)).await;
            let answered = |line: &Self| !line.replies(&envelope.message_id).is_empty();
            if self.sees(ONE_TRY, answered).await {
                tokio::time::sleep(STRAGGLERS).await;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the address of the client's webhook.
    pub(crate) async fn webhook(&self) -> anyhow::Result<SocketAddr> {
        match &self.client {
            Client::Aviary(running) => running.webhook().await,
            Client::Sdk(referee) => referee.webhook().await,
        }
    }
}
