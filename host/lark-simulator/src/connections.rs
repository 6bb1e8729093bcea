//! The open long connections of one app: choosing one, writing to it, and breaking it.

use std::sync::Arc;

use aviary_state::Mutex;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::CancellationToken;

use crate::changes::Changes;

/// The platform's limit on the connections of an app.
pub(super) const MAX_CONNECTIONS: usize = 50;
/// Messages that wait for one socket. If there are more, the host does not read, and the sender waits too.
const QUEUE: usize = 64;

/// A message that waits to be written, and a sender that reports that it was.
pub(super) struct Queued {
    pub(super) message: Message,
    pub(super) written: Option<oneshot::Sender<()>>,
}

/// The fate of a message, as far as the platform can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It was given to the network, but may not have arrived.
    Written,
    /// The connection ended first; the message may go over another one.
    NotWritten,
}

/// One connection, as seen from outside its task.
pub(super) struct Connection {
    outgoing: mpsc::Sender<Queued>,
    pub(super) silenced: CancellationToken,
    pub(super) ended: CancellationToken,
}

impl Connection {
    /// Writes one message. On a silenced connection it is lost without a sign, as on a dead network.
    pub(super) async fn send(&self, message: Message) -> Sent {
        let (written, done) = oneshot::channel();
        let queue = async {
            self.outgoing.send(Queued { message, written: Some(written) }).await.ok()?;
            done.await.ok()
        };
        tokio::select! {
            biased;
            written = queue => written.map_or(Sent::NotWritten, |()| Sent::Written),
            () = self.silenced.cancelled() => Sent::Written,
        }
    }
}

pub(super) struct Connections {
    open: Mutex<Vec<Arc<Connection>>>,
    changes: Changes,
    stop: CancellationToken,
}

/// A connection's place in the list, given back on drop, and the queue that its task empties.
pub(super) struct ConnectionPlace {
    pub(super) connection: Arc<Connection>,
    pub(super) outgoing: mpsc::Receiver<Queued>,
}

impl Connections {
    pub(super) fn new(changes: Changes, stop: CancellationToken) -> Self {
        Self { open: Mutex::default(), changes, stop }
    }

    /// Takes a place, or `None` at the platform's limit.
    pub(super) fn take_place(&self) -> Option<ConnectionPlace> {
        let (sender, outgoing) = mpsc::channel(QUEUE);
        let connection = Arc::new(Connection {
            outgoing: sender,
            silenced: CancellationToken::new(),
            ended: self.stop.child_token(),
        });
        {
            let mut open = self.open.lock();
            if open.len() >= MAX_CONNECTIONS {
                return None;
            }
            open.push(Arc::clone(&connection));
        }
        self.changes.ring();
        Some(ConnectionPlace { connection, outgoing })
    }

    pub(super) fn give_back(&self, connection: &Arc<Connection>) {
        // Whichever side ended the connection, an answer on it will not come.
        connection.ended.cancel();
        self.open.lock().retain(|other| !Arc::ptr_eq(other, connection));
        self.changes.ring();
    }

    pub(super) fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// Returns a random connection. A silenced one is taken only if there is no other: the real platform would have given it up.
    pub(super) fn pick(&self) -> Option<Arc<Connection>> {
        let open = self.open.lock();
        let mut candidates: Vec<_> =
            open.iter().filter(|connection| !connection.silenced.is_cancelled()).collect();
        if candidates.is_empty() {
            candidates.extend(open.iter());
        }
        fastrand::choice(candidates).cloned()
    }

    pub(super) fn cut(&self) {
        for connection in self.open.lock().iter() {
            connection.ended.cancel();
        }
    }

    /// Cuts the connection at this number, modulo the number of connections.
    pub(super) fn cut_one(&self, number: usize) {
        let open = self.open.lock();
        if let Some(connection) = number.checked_rem(open.len()).and_then(|index| open.get(index)) {
            connection.ended.cancel();
        }
    }

    pub(super) fn silence(&self) {
        for connection in self.open.lock().iter() {
            connection.silenced.cancel();
        }
    }

    pub(super) fn close(&self, code: u16) {
        for connection in self.open.lock().iter() {
            let frame = CloseFrame { code: code.into(), reason: "".into() };
            let message = Message::Close(Some(frame));
            if connection.outgoing.try_send(Queued { message, written: None }).is_err() {
                // A full queue: the host does not read, so that a Close frame would not arrive either.
                connection.ended.cancel();
            }
        }
    }
}
