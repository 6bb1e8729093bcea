//! The frames of the long connection: one protobuf message per binary WebSocket message, package `pbbp2`, proto2.
//!
//! Encoding and decoding only. The platform uses these headers:
//!
//! | header | value |
//! |---|---|
//! | `type` | `ping` or `pong` in a control frame, `event` or `card` in a data frame |
//! | `message_id` | the id of the message that a frame is a fragment of |
//! | `sum`, `seq` | how many fragments the message has, and which one this is, from 0 |
//! | `biz_rt` | in a reply: milliseconds from the message to its answer |

use prost::Message;

/// The kind of a frame, from its field `method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A ping or a pong.
    Control,
    /// An event, a callback, or the answer to one.
    Data,
    /// Another method. The official SDKs ignore such frames.
    Unknown(i32),
}

/// One key and value. Keys may repeat; the first one counts.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Header {
    /// Name of the header, for example `message_id`.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Value of the header: always text, numbers included.
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// One message in either direction. Optional fields keep the difference between absent and empty, because a reply
/// echoes them as they came.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Frame {
    /// Opaque, echoed; all 64 bits.
    #[prost(uint64, required, tag = "1")]
    pub seq_id: u64,
    /// Opaque, echoed; all 64 bits.
    #[prost(uint64, required, tag = "2")]
    pub log_id: u64,
    /// The `service_id` of the connection's URL.
    #[prost(int32, required, tag = "3")]
    pub service: i32,
    /// Number of the method; see [`Frame::kind`].
    #[prost(int32, required, tag = "4")]
    pub method: i32,
    /// Headers in wire order.
    #[prost(message, repeated, tag = "5")]
    pub headers: Vec<Header>,
    /// Encoding of the payload, echoed.
    #[prost(string, optional, tag = "6")]
    pub payload_encoding: Option<String>,
    /// Type of the payload, echoed.
    #[prost(string, optional, tag = "7")]
    pub payload_type: Option<String>,
    /// JSON, or one fragment of it.
    #[prost(bytes = "bytes", optional, tag = "8")]
    pub payload: Option<bytes::Bytes>,
    /// Log id as text, echoed.
    #[prost(string, optional, tag = "9")]
    pub log_id_new: Option<String>,
}

/// Reason why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Not protobuf, or a field of another type.
    #[error("not a frame: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A field that proto2 requires is not there. `prost` would read it as zero.
    #[error("the frame has no field number {0}, which is required")]
    Missing(u32),
    /// There are too many headers. The platform sends eight; each one costs many times its bytes once it is read.
    #[error("the frame has more than {MAX_HEADERS} headers")]
    TooManyHeaders,
}

/// Most headers of one frame.
const MAX_HEADERS: usize = 256;
/// Number of the field that carries the headers.
const HEADERS_FIELD: u32 = 5;

/// The number that [`Method::Control`] has on the wire.
pub const METHOD_CONTROL: i32 = 0;
/// The number that [`Method::Data`] has on the wire.
pub const METHOD_DATA: i32 = 1;

impl Frame {
    /// Reads one binary WebSocket message. The payload is a view into `bytes`, which live as long as the frame.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if the bytes are not a frame, a required field is missing, or there are more than 256 headers.
    pub fn parse(bytes: bytes::Bytes) -> Result<Self, FrameError> {
        check_fields(&bytes)?;
        Ok(Self::decode(bytes)?)
    }

    /// Encodes the frame as one binary WebSocket message.
    pub fn to_bytes(&self) -> bytes::Bytes {
        self.encode_to_vec().into()
    }

    /// Creates a control frame of the given `type`, for the connection's service.
    pub fn control(service: i32, kind: &str) -> Self {
        Self {
            method: METHOD_CONTROL,
            service,
            headers: vec![Header { key: "type".into(), value: kind.into() }],
            ..Self::default()
        }
    }

    /// Returns the kind of the frame.
    pub fn kind(&self) -> Method {
        match self.method {
            METHOD_CONTROL => Method::Control,
            METHOD_DATA => Method::Data,
            other => Method::Unknown(other),
        }
    }

    /// Returns the value of the first header of that name.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.key == key).map(|header| header.value.as_str())
    }
}

/// Checks for fields 1 to 4, which are `required` in proto2: the official decoders refuse a frame without them. Headers are
/// counted before anything is allocated for them.
fn check_fields(bytes: &bytes::Bytes) -> Result<(), FrameError> {
    let mut seen = [false; 4];
    let mut headers = 0;
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let (tag, wire_type) = prost::encoding::decode_key(&mut rest)?;
        if let Some(slot) = (tag as usize).checked_sub(1).and_then(|index| seen.get_mut(index)) {
            *slot = true;
        }
        if tag == HEADERS_FIELD {
            headers += 1;
            if headers > MAX_HEADERS {
                return Err(FrameError::TooManyHeaders);
            }
        }
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(wire_type, tag, &mut rest, context)?;
    }
    match seen.iter().position(|present| !present) {
        Some(index) => Err(FrameError::Missing(index as u32 + 1)),
        None => Ok(()),
    }
}
