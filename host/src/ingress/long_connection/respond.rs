//! The frames that answer messages of a long connection.
//!
//! A reply is the frame that completed the message, with another payload and one more header; the rest goes back unchanged.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lark_wire::frame::Frame;
use lark_wire::frame::Header;

use crate::callback::reply::Outgoing;
use crate::callback::reply::Reply;

/// Makes the answer to a callback or event.
pub(super) fn answered(request: Frame, reply: &Reply, elapsed: Duration) -> Frame {
    let payload = match reply.outgoing() {
        // Only an old card's answer has another status, and old cards come by webhook only.
        Outgoing::Body { json, .. } => {
            format!(r#"{{"code":200,"data":"{}"}}"#, STANDARD.encode(json)).into()
        }
        Outgoing::Accepted => Bytes::from_static(br#"{"code":200}"#),
        Outgoing::Redeliver => Bytes::from_static(br#"{"code":500}"#),
    };
    echo(request, payload, elapsed)
}

/// Makes the answer to a message that could not be parsed.
pub(super) fn rejected(request: Frame, elapsed: Duration) -> Frame {
    echo(request, Bytes::from_static(br#"{"code":500}"#), elapsed)
}

fn echo(mut frame: Frame, payload: Bytes, elapsed: Duration) -> Frame {
    frame.payload = Some(payload);
    frame.headers.push(Header { key: "biz_rt".to_owned(), value: elapsed.as_millis().to_string() });
    frame
}
