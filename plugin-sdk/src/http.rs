//! Sends HTTP requests to other servers: `wasi:http`, in the few lines that a handler needs. The operator has to grant each
//! address, and the host may add a credential that the plugin never holds. These functions ask the host, so they work in a
//! component only; called from a native unit test they panic.
//!
//! ```no_run
//! # fn title() -> Result<String, aviary_sdk::Failure> {
//! let page = aviary_sdk::http::get("https://wiki.example.com/page/7")?;
//! # Ok(page.text())
//! # }
//! ```
//!
//! Nothing is followed: a redirect is a response, and whoever wants to go where it leads sends another request, which
//! has to be granted too.

use core::fmt;
use core::time::Duration;

use serde_json::Value;
use wasip2::http::outgoing_handler;
use wasip2::http::types::Fields;
use wasip2::http::types::FutureIncomingResponse;
use wasip2::http::types::IncomingBody;
use wasip2::http::types::IncomingResponse;
use wasip2::http::types::OutgoingBody;
use wasip2::http::types::OutgoingRequest;
use wasip2::http::types::RequestOptions;
use wasip2::http::types::Scheme;
use wasip2::io::streams::StreamError;

use crate::json::JsonError;
use crate::json::read;

pub use wasip2::http::types::ErrorCode;
pub use wasip2::http::types::Method;

/// Maximum bytes of one write, by the contract of `wasi:io`.
const MOST_WRITTEN: usize = 4096;
/// Bytes that one read asks for.
const MOST_READ: u64 = 64 * 1024;

/// Sends a `GET` request to `url` and waits for the answer, within the time left for the callback.
///
/// # Errors
/// As [`Request::send`].
pub fn get(url: &str) -> Result<Response, HttpError> {
    Request::get(url).send()
}

/// A request before it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    patience: Option<Duration>,
}

/// A request under way. Several can be under way at once.
#[derive(Debug)]
pub struct Pending(FutureIncomingResponse);

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status code, such as 200 or 404.
    pub status: u16,
    /// Headers with lower-case names, in the order in which they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The complete body, in bytes.
    pub body: Vec<u8>,
}

/// Reason why there is no answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HttpError {
    /// The address is not a URL like `https://api.example.com/v1/things?id=7`.
    Url,
    /// This header cannot be sent, or only the host may set it.
    Header(String),
    /// The request failed with this code of `wasi:http`: [`ErrorCode::HttpRequestDenied`] if no grant covers the address,
    /// [`ErrorCode::DestinationIpProhibited`] if its name resolves to an address that is not public.
    Code(ErrorCode),
    /// The answer broke off, was too large or came too late.
    Body(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => write!(formatter, "not an http or https address"),
            Self::Header(name) => write!(formatter, "the header {name:?} cannot be sent"),
            Self::Code(code) => write!(formatter, "{code:?}"),
            Self::Body(why) => write!(formatter, "the answer broke off: {why}"),
        }
    }
}

impl core::error::Error for HttpError {}

impl From<ErrorCode> for HttpError {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl Request {
    /// Creates a request with any method.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { method, url: url.into(), headers, body, patience: None }
    }

    /// Creates a `GET` request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Creates a `POST` request with a JSON body.
    pub fn post(url: impl Into<String>, body: &Value) -> Self {
        let request = Self::new(Method::Post, url).header("content-type", "application/json");
        request.body(body.to_string())
    }

    /// Adds a header to the request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body, in bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets how long to wait for a server that does not connect or sends nothing. Without it the host gives up when the call's
    /// time is nearly over, which may be long after the callback was answered.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Sends the request and waits for the answer.
    ///
    /// # Errors
    /// [`HttpError`] if no complete answer arrived. A status of 400 or more is an answer and not an error.
    pub fn send(self) -> Result<Response, HttpError> {
        self.start()?.wait()
    }

    /// Sends the request without waiting for the answer.
    ///
    /// # Errors
    /// As [`send`](Self::send), if the host refuses the request at once.
    pub fn start(self) -> Result<Pending, HttpError> {
        let (scheme, authority, path) = split(&self.url).ok_or(HttpError::Url)?;
        let fields = Fields::new();
        for (name, value) in &self.headers {
            fields.append(name, value).map_err(|_refused| HttpError::Header(name.clone()))?;
        }
        let request = OutgoingRequest::new(fields);
        let taken = request
            .set_method(&self.method)
            .and_then(|()| request.set_scheme(Some(&scheme)))
            .and_then(|()| request.set_authority(Some(authority)))
            .and_then(|()| request.set_path_with_query(Some(&path)));
        taken.map_err(|()| HttpError::Url)?;
        let options = RequestOptions::new();
        let patience = self.patience.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        if patience.is_some() {
            // A host that supports these options accepts any value, and this host supports them.
            let _ = options.set_connect_timeout(patience);
            let _ = options.set_first_byte_timeout(patience);
            let _ = options.set_between_bytes_timeout(patience);
        }
        if self.body.is_empty() {
            return Ok(Pending(outgoing_handler::handle(request, Some(options))?));
        }
        let body = request.body().map_err(|()| HttpError::Header("content-length".to_owned()))?;
        let pending = Pending(outgoing_handler::handle(request, Some(options))?);
        // A server may answer before it has read the whole body; its answer counts.
        if write(&body, &self.body).is_ok() {
            OutgoingBody::finish(body, None)?;
        }
        Ok(pending)
    }
}

impl Pending {
    /// Waits for the complete answer.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn wait(self) -> Result<Response, HttpError> {
        self.0.subscribe().block();
        // The future is ready, and its result has not been taken yet.
        let answer = self.0.get().and_then(Result::ok);
        let answer = answer.unwrap_or(Err(ErrorCode::InternalError(None)))?;
        let headers = answer.headers().entries();
        Ok(Response { status: answer.status(), headers, body: body(&answer)? })
    }
}

impl Response {
    /// Returns the first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| core::str::from_utf8(value).ok())
    }

    /// Returns the body as text. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Parses the body as JSON.
    ///
    /// # Errors
    /// [`JsonError::Malformed`] if the body is not JSON.
    pub fn json(&self) -> Result<Value, JsonError> {
        read("response.body", Some(&self.text()))
    }
}

fn write(body: &OutgoingBody, mut rest: &[u8]) -> Result<(), ()> {
    let stream = body.write()?;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.len().min(MOST_WRITTEN));
        stream.blocking_write_and_flush(part).map_err(drop)?;
        rest = after;
    }
    Ok(())
}

fn body(answer: &IncomingResponse) -> Result<Vec<u8>, HttpError> {
    let broken = |why: &str| HttpError::Body(why.to_owned());
    let body: IncomingBody = answer.consume().map_err(|()| broken("it was taken before"))?;
    let stream = body.stream().map_err(|()| broken("it was taken before"))?;
    let mut all = Vec::new();
    loop {
        match stream.blocking_read(MOST_READ) {
            Ok(part) => all.extend(part),
            Err(StreamError::Closed) => return Ok(all),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(HttpError::Body(error.to_debug_string()));
            }
        }
    }
}

/// Splits a URL into scheme, host with port, and path with query. The fragment is dropped, because it is never sent.
fn split(url: &str) -> Option<(Scheme, &str, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let slash = if path.starts_with('/') { "" } else { "/" };
    (!authority.is_empty()).then(|| (scheme, authority, format!("{slash}{path}")))
}

#[cfg(test)]
mod tests {
    use crate::http::Response;
    use crate::http::split;

    #[test]
    fn an_address_has_three_parts() {
        for (url, authority, path) in [
            ("https://a.example.com", "a.example.com", "/"),
            ("HTTP://a.example.com:8080/v1/x?y=z#end", "a.example.com:8080", "/v1/x?y=z"),
            ("https://a.example.com?y=/z", "a.example.com", "/?y=/z"),
        ] {
            let (_, found, rest) = split(url).expect(url);
            assert_eq!((found, rest.as_str()), (authority, path), "{url}");
        }
        for url in ["a.example.com", "ftp://a.example.com/", "https:///x", "https://#x"] {
            assert!(split(url).is_none(), "{url}");
        }
    }

    #[test]
    fn an_answer_is_read_as_what_it_is() {
        let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
        let mut response = Response { status: 200, headers, body: br#"{"a":1}"#.to_vec() };
        assert_eq!(response.header("Content-Type"), Some("application/json"));
        assert_eq!(response.json().ok(), Some(serde_json::json!({ "a": 1 })));
        response.body = b"<html>".to_vec();
        assert!(response.json().is_err());
        assert_eq!(response.text(), "<html>");
    }
}
