//! A request and its response as the journal keeps them: whole, so that they can be recorded and played.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::Response;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use serde::Deserialize;
use serde::Serialize;
use wasmtime_wasi_http::WasiBody;

use crate::capability::http::body::Received;
use crate::capability::http::no_answer::NoAnswer;
use crate::tape::told::Blob;

/// A plugin's request, without the headers that the host adds and without its body, which is not there yet.
#[derive(Debug, Serialize)]
pub(super) struct RequestSummary {
    method: String,
    url: String,
    headers: Vec<(String, Blob)>,
}

impl RequestSummary {
    pub(super) fn of(request: &Request<WasiBody>) -> Self {
        Self {
            method: request.method().to_string(),
            url: request.uri().to_string(),
            headers: blobs(request.headers()),
        }
    }
}

/// A whole response.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Whole {
    status: u16,
    headers: Vec<(String, Blob)>,
    body: Blob,
}

impl Whole {
    /// Makes a response of JSON or of other text.
    pub(super) fn of(status: u16, body: String) -> Self {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
        let headers = vec![("content-type".to_owned(), Blob::Text(kind.to_owned()))];
        Self { status, headers, body: Blob::Text(body) }
    }

    /// Reads the response to its end, within the limits of its body.
    pub(super) async fn read(answer: Response<Received>) -> Result<Self, NoAnswer> {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let (status, headers) = (parts.status.as_u16(), blobs(&parts.headers));
        Ok(Self { status, headers, body: body.to_vec().into() })
    }

    /// Rebuilds the response. Fails if a recorded value is not valid, for example as a header.
    pub(super) fn into_answer(self) -> Result<Response<WasiBody>, NoAnswer> {
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let name = name.parse::<HeaderName>().map_err(|_| NoAnswer::Protocol)?;
            let value = HeaderValue::try_from(Vec::from(value)).map_err(|_| NoAnswer::Protocol)?;
            headers.append(name, value);
        }
        let body = Full::new(Bytes::from(Vec::from(self.body)));
        let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
        *answer.status_mut() = self.status.try_into().map_err(|_| NoAnswer::Protocol)?;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

fn blobs(headers: &HeaderMap) -> Vec<(String, Blob)> {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), value.as_bytes().to_vec().into())
    };
    headers.iter().map(pair).collect()
}
