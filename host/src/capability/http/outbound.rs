//! Whether requests leave this machine.

use std::sync::Arc;

use rustls::ClientConfig;

/// How requests leave this machine, if they do.
#[derive(Clone, Debug)]
pub enum Outbound {
    /// Over the network, trusting whom the host trusts.
    Network(Arc<ClientConfig>),
    /// Not at all: the plugin runs at somebody's desk.
    Denied,
}
