//! The reasons why a request has no response: in words for the log, as data for the journal, and as error codes of `wasi:http`.

use serde::Deserialize;
use serde::Serialize;
use wasmtime_wasi_http::Error;

use crate::capability::http::limits::MAX_REQUEST_BYTES;
use crate::capability::http::limits::MAX_RESPONSE_BYTES;
use crate::tape::UNKNOWN;

/// The reason why a request has no response. It tells the plugin no more about the host and the server than `wasi:http` has
/// codes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(super) enum NoAnswer {
    /// No grant covers the target.
    #[error("it is not granted")]
    NotGranted,
    /// The address is ambiguous or not valid.
    #[error("it is no address to go to")]
    Address,
    /// The method is CONNECT or TRACE.
    #[error("CONNECT and TRACE are not sent")]
    Method,
    /// Too many requests at once, or too many in one call.
    #[error("too many requests")]
    TooMany,
    /// The body exceeds `MAX_REQUEST_BYTES`.
    #[error("more than {MAX_REQUEST_BYTES} bytes to send")]
    RequestTooLong,
    /// The response exceeds `MAX_RESPONSE_BYTES`; holds its announced length, if there was one.
    #[error("an answer of more than {MAX_RESPONSE_BYTES} bytes")]
    ResponseTooLong(Option<u64>),
    /// The call is a trial, or requests of this host do not leave the machine.
    #[error("this is only a try")]
    OnlyATry,
    /// The call is a replay, and the recording has no such request.
    #[error("{UNKNOWN}")]
    NotAskedThen,
    /// The host name cannot be resolved.
    #[error("the name cannot be resolved")]
    Name,
    /// The address is not public: this machine or its network.
    #[error("its address is not public")]
    NotPublic,
    /// The network has no route to the server.
    #[error("the server cannot be reached")]
    Unreachable,
    /// No server listens at the address.
    #[error("the server refuses the connection")]
    Refused,
    /// No connection was established in time.
    #[error("no connection in time")]
    NoConnectionInTime,
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted")]
    Certificate,
    /// TLS failed for another reason.
    #[error("the server does not speak TLS as it should")]
    Tls,
    /// The response, or a part of it, did not come in time.
    #[error("no answer in time")]
    NotInTime,
    /// The status line and headers exceed their limit.
    #[error("the head of the answer is too long")]
    HeadTooLong,
    /// The server closed the connection in the middle of the response.
    #[error("the answer is incomplete")]
    Incomplete,
    /// The response is not HTTP, or the plugin left its own request unfinished.
    #[error("what was sent is not HTTP")]
    Protocol,
    /// Any other failure of the connection.
    #[error("the connection broke off")]
    BrokeOff,
}

impl From<NoAnswer> for Error {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::NotGranted => Self::HttpRequestDenied,
            NoAnswer::Address => Self::HttpRequestUriInvalid,
            NoAnswer::Method => Self::HttpRequestMethodInvalid,
            NoAnswer::TooMany => Self::ConnectionLimitReached,
            NoAnswer::RequestTooLong => Self::HttpRequestBodySize(Some(MAX_REQUEST_BYTES)),
            NoAnswer::ResponseTooLong(announced) => {
                Self::HttpResponseBodySize(Some(announced.unwrap_or(MAX_RESPONSE_BYTES)))
            }
            NoAnswer::NotAskedThen => Self::InternalError(Some(UNKNOWN.to_owned())),
            NoAnswer::Name => Self::DnsError { rcode: Some(why.to_string()), info_code: None },
            NoAnswer::NotPublic => Self::DestinationIpProhibited,
            NoAnswer::OnlyATry | NoAnswer::Unreachable => Self::DestinationUnavailable,
            NoAnswer::Refused => Self::ConnectionRefused,
            NoAnswer::NoConnectionInTime => Self::ConnectionTimeout,
            NoAnswer::Certificate => Self::TlsCertificateError,
            NoAnswer::Tls => Self::TlsProtocolError,
            NoAnswer::NotInTime => Self::HttpResponseTimeout,
            NoAnswer::HeadTooLong => Self::HttpResponseHeaderSectionSize(None),
            NoAnswer::Incomplete => Self::HttpResponseIncomplete,
            NoAnswer::Protocol => Self::HttpProtocolError,
            NoAnswer::BrokeOff => Self::ConnectionTerminated,
        }
    }
}

impl From<&hyper::Error> for NoAnswer {
    fn from(error: &hyper::Error) -> Self {
        let cause = std::error::Error::source(error);
        if let Some(why) = cause.and_then(|cause| cause.downcast_ref::<Self>()) {
            *why
        } else if error.is_parse_too_large() {
            Self::HeadTooLong
        } else if error.is_incomplete_message() {
            Self::Incomplete
        } else if error.is_parse() {
            Self::Protocol
        } else {
            Self::BrokeOff
        }
    }
}
