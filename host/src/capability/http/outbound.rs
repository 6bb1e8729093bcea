//! Whether the requests of plugins leave this machine.

use std::sync::Arc;

use rustls::ClientConfig;

/// The way in which requests leave this machine, if they do.
#[derive(Clone, Debug)]
pub enum Outbound {
    /// Over the network, with the trusted roots of the host.
    Network(Arc<ClientConfig>),
    /// Not at all, because the plugin runs on a developer's machine.
    Denied,
}
