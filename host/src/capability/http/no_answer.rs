//! Why there is no answer: in words for the log, as data for the journal, and as what `wasi:http` calls it.

use serde::Deserialize;
use serde::Serialize;
use wasmtime_wasi_http::Error;

use crate::capability::http::limits::MAX_REQUEST_BYTES;
use crate::capability::http::limits::MAX_RESPONSE_BYTES;
use crate::tape::UNKNOWN;

/// See the module. Of the program and the server it tells no more than the contract has names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(super) enum NoAnswer {
    /// No grant covers it.
    #[error("it is not granted")]
    NotGranted,
    /// It could go to two places, or to none.
    #[error("it is no address to go to")]
    Address,
    /// CONNECT or TRACE.
    #[error("CONNECT and TRACE are not sent")]
    Method,
    /// More at once, or more in a call, than there may be.
    #[error("too many requests")]
    TooMany,
    /// More than a plugin may send.
    #[error("more than {MAX_REQUEST_BYTES} bytes to send")]
    RequestTooLong,
    /// More than a plugin may get; how much was announced, if it was.
    #[error("an answer of more than {MAX_RESPONSE_BYTES} bytes")]
    ResponseTooLong(Option<u64>),
    /// Nothing leaves this machine.
    #[error("this is only a try")]
    OnlyATry,
    /// In a replay.
    #[error("{UNKNOWN}")]
    NotAskedThen,
    /// The name stands for nothing.
    #[error("the name cannot be resolved")]
    Name,
    /// It stands for this machine, or its network.
    #[error("its address is not public")]
    NotPublic,
    /// The network does not lead there.
    #[error("the server cannot be reached")]
    Unreachable,
    /// Nobody listens there.
    #[error("the server refuses the connection")]
    Refused,
    /// In the time there was.
    #[error("no connection in time")]
    NoConnectionInTime,
    /// It does not show who it should be.
    #[error("the server's certificate is not trusted")]
    Certificate,
    /// TLS failed in another way.
    #[error("the server does not speak TLS as it should")]
    Tls,
    /// In the time there was.
    #[error("no answer in time")]
    NotInTime,
    /// Its status line and headers.
    #[error("the head of the answer is too long")]
    HeadTooLong,
    /// The server went away in the middle.
    #[error("the answer is incomplete")]
    Incomplete,
    /// It is not HTTP, or the plugin left its own request unfinished.
    #[error("what was sent is not HTTP")]
    Protocol,
    /// Anything else.
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
