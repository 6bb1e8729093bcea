//! What surrounds a plugin in a self-test: answers that its author prepared, a success where nobody prepared one, and an empty
//! store. The grants count as in a host, and nothing leaves this machine.

mod answers;

use aviary_state::Mutex;

use crate::store::Store;

pub use crate::capability::prepared::answers::Answers;
pub use crate::capability::prepared::answers::AnswersError;
pub use crate::capability::prepared::answers::PreparedAnswer;

/// The body of a server API answer that nobody prepared.
const API_SUCCESS: &str = r#"{"code":0,"msg":"success","data":{}}"#;
/// The body of another server's answer that nobody prepared.
const HTTP_SUCCESS: &str = "{}";

/// The surroundings of one self-test.
#[derive(Debug)]
pub struct Prepared {
    answers: Mutex<Answers>,
    store: Store,
    missing: Mutex<Option<String>>,
}

impl Prepared {
    /// Creates the surroundings of one call. `store` holds what the plugin keeps, and nobody else uses it.
    pub fn new(answers: Answers, store: Store) -> Self {
        Self { answers: Mutex::new(answers), store, missing: Mutex::new(None) }
    }

    /// Returns the answer to a request to the server API.
    pub(super) fn api_answer(&self, method: &str, path: &str) -> PreparedAnswer {
        self.answers.lock().take(method, path).unwrap_or_else(|| PreparedAnswer::ok(API_SUCCESS))
    }

    /// Returns the answer to a request to another server.
    pub(super) fn http_answer(&self, method: &str, address: &str) -> PreparedAnswer {
        self.answers
            .lock()
            .take(method, address)
            .unwrap_or_else(|| PreparedAnswer::ok(HTTP_SUCCESS))
    }

    /// Returns the store of this self-test.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Notes that the plugin asked for something that it has no grant for. The first one is kept: what follows may come of it.
    pub(super) fn lacks(&self, what: impl FnOnce() -> String) {
        self.missing.lock().get_or_insert_with(what);
    }

    /// Takes the first thing that the plugin asked for without a grant, and what to write in its sidecar file.
    pub fn take_missing(&self) -> Option<String> {
        self.missing.lock().take()
    }
}
