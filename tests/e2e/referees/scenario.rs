//! A scenario: the events that a client meets, and the behaviour of each of the three.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lark_simulator::Simulator;

use crate::referees::contestant::Contestant;
use crate::referees::contestant::Line;

/// The host's apps for scenarios that share one: with handlers, and without.
const SHARED: &str = "00000000c0ffee00";
const NOBODY: &str = "00000000c0ffee01";

type Prepare = Arc<dyn Fn(&Simulator, &str) -> anyhow::Result<()> + Send + Sync>;
type Observe = Arc<dyn Fn(Line) -> BoxFuture<'static, anyhow::Result<String>> + Send + Sync>;

/// The door of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A long connection, with an app of its own.
    LongConnection,
    /// The webhook that all scenarios share.
    Webhook,
}

/// Handlers of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handlers {
    Registered,
    Missing,
}

/// Permission for the host to serve other scenarios over the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    /// The scenario affects the connection itself.
    Alone,
    /// The scenario only exchanges messages.
    OtherMessages,
}

/// Form of an app id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdShape {
    /// `cli_` and 16 hex digits.
    Usual,
    /// Fewer characters than usual.
    Short,
}

/// One row of the table.
#[derive(Clone)]
pub(crate) struct Scenario {
    name: String,
    by: By,
    handlers: Handlers,
    company: Company,
    id: IdShape,
    prepare: Prepare,
    observe: Observe,
    outcomes: [Option<&'static str>; 3],
    fault: Option<&'static str>,
}

impl Scenario {
    /// Creates a scenario on a long connection. `observe` returns the client's behaviour in a few words.
    pub(crate) fn new<F>(
        name: impl Into<String>,
        observe: impl Fn(Line) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<String>> + Send + 'static,
    {
        Self {
            name: name.into(),
            by: By::LongConnection,
            handlers: Handlers::Registered,
            company: Company::Alone,
            id: IdShape::Usual,
            prepare: Arc::new(|_, _| Ok(())),
            observe: Arc::new(move |line| Box::pin(observe(line))),
            outcomes: [None; 3],
            fault: None,
        }
    }

    /// Creates a scenario of the webhook.
    #[must_use]
    pub(crate) fn by_webhook(mut self) -> Self {
        self.by = By::Webhook;
        self
    }

    /// Removes every handler of the app.
    #[must_use]
    pub(crate) fn without_handlers(mut self) -> Self {
        self.handlers = Handlers::Missing;
        self
    }

    /// Lets the host use a shared connection, so that it need not load the plugin once more. The SDKs' clients disturb each
    /// other, and always have one of their own.
    #[must_use]
    pub(crate) fn in_company(mut self) -> Self {
        self.company = Company::OtherMessages;
        self
    }

    /// Uses an app id of another form than `cli_` and 16 hex digits.
    #[must_use]
    pub(crate) fn with_short_id(mut self) -> Self {
        self.id = IdShape::Short;
        self
    }

    /// Sets a condition on the simulator before the client starts.
    #[must_use]
    pub(crate) fn prepared(
        mut self,
        prepare: impl Fn(&Simulator, &str) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Arc::new(prepare);
        self
    }

    /// Expects this behaviour of all three.
    #[must_use]
    pub(crate) fn all(self, outcome: &'static str) -> Self {
        self.each(outcome, outcome, outcome)
    }

    /// Expects these behaviours. If they differ, a fault has to be named.
    #[must_use]
    pub(crate) fn each(
        mut self,
        aviary: &'static str,
        python: &'static str,
        node: &'static str,
    ) -> Self {
        self.outcomes = [Some(aviary), Some(python), Some(node)];
        self
    }

    /// Excludes an SDK that lacks the feature.
    #[must_use]
    pub(crate) fn impossible_for(mut self, who: Contestant) -> Self {
        self.outcomes[who as usize] = None;
        self
    }

    /// Names the SDKs' fault, which is why the host behaves differently.
    #[must_use]
    pub(crate) fn fault(mut self, fault: &'static str) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Returns the name for the table.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the expected behaviour of that contestant, if it takes part.
    pub(crate) fn expected(&self, who: Contestant) -> Option<&'static str> {
        self.outcomes[who as usize]
    }

    /// Returns the fault of an SDK, if one is named.
    pub(crate) fn named_fault(&self) -> Option<&'static str> {
        self.fault
    }

    /// Returns true if all that take part behave the same. Details in parentheses are ignored: one refuses with 500, another with
    /// 401.
    pub(crate) fn is_equal_for_all(&self) -> bool {
        let without_detail = |outcome: &'static str| outcome.split(" (").next().unwrap_or(outcome);
        let mut outcomes = self.outcomes.iter().flatten().map(|outcome| without_detail(outcome));
        let first = outcomes.next();
        outcomes.all(|outcome| Some(outcome) == first)
    }

    pub(crate) fn by(&self) -> By {
        self.by
    }

    pub(crate) fn handlers(&self) -> Handlers {
        self.handlers
    }

    /// Returns the app id of that contestant in the scenario of that number.
    pub(crate) fn app_id(&self, index: usize, who: Contestant) -> String {
        let host = who == Contestant::Aviary;
        let who = who as usize;
        match (self.id, self.company) {
            (IdShape::Short, _) => format!("cli_{who}{index}"),
            (IdShape::Usual, Company::OtherMessages) if host => {
                format!("cli_{}", if self.handlers == Handlers::Missing { NOBODY } else { SHARED })
            }
            (IdShape::Usual, _) => format!("cli_{who:x}{index:015x}"),
        }
    }

    pub(crate) fn prepare(&self, simulator: &Simulator, app: &str) -> anyhow::Result<()> {
        (self.prepare)(simulator, app)
    }

    pub(crate) fn run(&self, line: Line) -> BoxFuture<'static, anyhow::Result<String>> {
        (self.observe)(line)
    }
}
