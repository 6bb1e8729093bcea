//! The answers that an author writes down beside a self-test, in `NAME.api.json`.

use serde::Deserialize;
use serde_json::value::RawValue;
use wildmatch::WildMatchPattern;

/// Methods of requests, in capitals as in a grant.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// The beginnings of a path: of the server API, or of an address of another server.
const BEGINNINGS: [&str; 3] = ["/open-apis/", "https://", "http://"];

/// The fault of a list of answers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswersError {
    /// The text is not JSON, or not a list of answers.
    #[error("is not a list of answers: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A member of an answer makes no sense.
    #[error("answer {number}: {problem}")]
    Wrong {
        /// The number of the answer, counted from 1.
        number: usize,
        /// The member, and what may stand there.
        problem: String,
    },
}

/// An answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl PreparedAnswer {
    pub(super) fn ok(body: &str) -> Self {
        Self { status: 200, body: body.to_owned() }
    }
}

/// The answers of one self-test. Each fits the requests of its method and path; one that names neither fits any request.
#[derive(Debug, Default)]
pub struct Answers(Vec<AnswerEntry>);

#[derive(Debug)]
struct AnswerEntry {
    method: Option<String>,
    path: Option<WildMatchPattern<'*', '\0'>>,
    answer: PreparedAnswer,
    used: bool,
}

/// An answer as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    method: Option<String>,
    path: Option<String>,
    #[serde(default = "success")]
    status: u16,
    #[serde(borrow)]
    answer: &'a RawValue,
}

fn success() -> u16 {
    200
}

impl Answers {
    /// Reads the text of a `NAME.api.json`.
    pub fn read(json: &[u8]) -> Result<Self, AnswersError> {
        let written: Vec<Written<'_>> = named_fields::from_slice(json)?;
        let entries = written.into_iter().enumerate().map(|(index, written)| {
            let wrong = |problem| AnswersError::Wrong { number: index + 1, problem };
            AnswerEntry::new(written).map_err(wrong)
        });
        Ok(Self(entries.collect::<Result<_, _>>()?))
    }

    /// Takes the answer to a request: the first that fits and was not given yet, or else the last that fits again. `None` if none
    /// fits.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<PreparedAnswer> {
        let mut fitting = self.0.iter_mut().filter(|entry| entry.fits(method, path));
        let mut found = fitting.next()?;
        for entry in fitting {
            if !found.used {
                break;
            }
            found = entry;
        }
        found.used = true;
        Some(found.answer.clone())
    }
}

impl AnswerEntry {
    fn new(written: Written<'_>) -> Result<Self, String> {
        let Written { method, path, status, answer } = written;
        if let Some(method) = method.as_deref().filter(|method| !METHODS.contains(method)) {
            return Err(format!("method: {method:?} is not one of {}", METHODS.join(", ")));
        }
        if let Some(path) = &path {
            let begins = BEGINNINGS.iter().any(|beginning| path.starts_with(beginning));
            if !begins || path.contains(['?', '#']) {
                return Err(format!(
                    "path: {path:?} is neither a path that begins with /open-apis/ nor an address like https://api.example.com/v1/*, each without its query"
                ));
            }
        }
        if !(200..=599).contains(&status) {
            return Err(format!("status: {status} is not between 200 and 599"));
        }
        // A text is sent as it is, so that an answer need not be JSON.
        let body = match serde_json::from_str::<String>(answer.get()) {
            Ok(text) => text,
            Err(_) => answer.get().to_owned(),
        };
        let path = path.map(|path| WildMatchPattern::new(&path));
        Ok(Self { method, path, answer: PreparedAnswer { status, body }, used: false })
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|expected| expected == method)
            && self.path.as_ref().is_none_or(|pattern| pattern.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(answers: &mut Answers, requests: &[(&str, &str)]) -> Vec<Option<String>> {
        let taken = requests.iter().map(|(method, path)| answers.take(method, path));
        taken.map(|answer| answer.map(|answer| answer.body)).collect()
    }

    fn some(bodies: &[&str]) -> Vec<Option<String>> {
        bodies.iter().map(|body| Some((*body).to_owned())).collect()
    }

    #[test]
    fn answers_are_given_in_order_and_the_last_one_again() {
        let mut answers = Answers::read(br#"[{"answer": 1}, {"answer": 2}]"#).unwrap();
        let get = ("GET", "/open-apis/a");
        assert_eq!(bodies(&mut answers, &[get, get, get, get]), some(&["1", "2", "2", "2"]));
    }

    #[test]
    fn method_and_path_choose_among_them() {
        let written = br#"[
            {"method": "POST", "path": "/open-apis/im/v1/messages", "answer": {"n": 1}},
            {"path": "/open-apis/contact/v3/users/*", "status": 400, "answer": {"n": 2}},
            {"path": "https://api.example.com/*", "answer": "plain text"}
        ]"#;
        let mut answers = Answers::read(written).unwrap();
        let asked = [
            ("GET", "https://api.example.com/v1"),
            ("GET", "/open-apis/contact/v3/users/ou_1"),
            ("POST", "/open-apis/im/v1/messages"),
        ];
        let expected = some(&["plain text", r#"{"n": 2}"#, r#"{"n": 1}"#]);
        assert_eq!(bodies(&mut answers, &asked), expected);
        let others = [("GET", "/open-apis/im/v1/messages"), ("GET", "https://example.com/")];
        assert_eq!(bodies(&mut answers, &others), [None, None]);
        assert_eq!(answers.take("GET", "/open-apis/contact/v3/users/ou_2").unwrap().status, 400);
    }

    #[test]
    fn a_mistake_is_named() {
        for (written, named) in [
            ("{}", "not a list of answers"),
            (r#"[{"path": "/open-apis/x"}]"#, "answer"),
            (r#"[{"anwser": {}}]"#, "anwser"),
            (r#"[{"answer": {}}, {"method": "post", "answer": {}}]"#, "answer 2: method"),
            (r#"[{"path": "im/v1/messages", "answer": {}}]"#, "/open-apis/"),
            (r#"[{"path": "/open-apis/x?a=b", "answer": {}}]"#, "query"),
            (r#"[{"status": 100, "answer": {}}]"#, "status"),
        ] {
            let error = Answers::read(written.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(named), "{written}: {error}");
        }
    }
}
