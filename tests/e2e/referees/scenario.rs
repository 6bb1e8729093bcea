//! A scenario: what happens to a client, and what each of the three does then.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lark_simulator::Simulator;

use crate::referees::contestant::Contestant;
use crate::referees::contestant::Line;

/// The host's app for scenarios that share one, and the one that has no handlers.
const SHARED: &str = "00000000c0ffee00";
const NOBODY: &str = "00000000c0ffee01";

type Prepare = Arc<dyn Fn(&Simulator, &str) -> anyhow::Result<()> + Send + Sync>;
type Observe = Arc<dyn Fn(Line) -> BoxFuture<'static, anyhow::Result<String>> + Send + Sync>;

/// By which door it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// With an app of its own.
    LongConnection,
    /// With the webhook that all scenarios share.
    Webhook,
}

/// Whether anything is registered to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handlers {
    /// All of them.
    Registered,
    /// None.
    Missing,
}

/// Whether the host may serve other scenarios over the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    /// What happens concerns the connection.
    Alone,
    /// Only messages come and go.
    OtherMessages,
}

/// What an app id looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdShape {
    /// `cli_` and 16 hex digits.
    Usual,
    /// Shorter.
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
    /// Over a long connection. `observe` says in a few words what the client did.
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

    /// Over the webhook.
    #[must_use]
    pub(crate) fn by_webhook(mut self) -> Self {
        self.by = By::Webhook;
        self
    }

    /// With nothing that could answer.
    #[must_use]
    pub(crate) fn without_handlers(mut self) -> Self {
        self.handlers = Handlers::Missing;
        self
    }

    /// Needs no connection of its own, so that the host need not load the plugin once more. The SDKs' clients disturb each
    /// other, and stay alone.
    #[must_use]
    pub(crate) fn in_company(mut self) -> Self {
        self.company = Company::OtherMessages;
        self
    }

    /// With an app id that is not `cli_` and 16 hex digits.
    #[must_use]
    pub(crate) fn with_short_id(mut self) -> Self {
        self.id = IdShape::Short;
        self
    }

    /// What is so before the client starts.
    #[must_use]
    pub(crate) fn prepared(
        mut self,
        prepare: impl Fn(&Simulator, &str) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Arc::new(prepare);
        self
    }

    /// All three do this.
    #[must_use]
    pub(crate) fn all(self, outcome: &'static str) -> Self {
        self.each(outcome, outcome, outcome)
    }

    /// What each does. A fault has to be named unless that is the same.
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

    /// That SDK has no such thing.
    #[must_use]
    pub(crate) fn impossible_for(mut self, who: Contestant) -> Self {
        self.outcomes[who as usize] = None;
        self
    }

    /// Why the host is not like the SDKs: what is wrong with theirs.
    #[must_use]
    pub(crate) fn fault(mut self, fault: &'static str) -> Self {
        self.fault = Some(fault);
        self
    }

    /// For people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What that one does, if it takes part.
    pub(crate) fn expected(&self, who: Contestant) -> Option<&'static str> {
        self.outcomes[who as usize]
    }

    /// What is wrong with an SDK.
    pub(crate) fn named_fault(&self) -> Option<&'static str> {
        self.fault
    }

    /// Does everybody who takes part do the same? What is in parentheses is a detail: one refuses with 500, another with
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

    /// The app of that contestant in the scenario of that number.
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
