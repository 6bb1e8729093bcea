//! The doors of the host: which are open, and why the others are not.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::folder::status::FolderHandle;
use crate::ingress::long_connection::status::ConnectionState;
use crate::ingress::long_connection::status::Connections;
use crate::shutdown::Shutdown;

/// State of the doors, for readiness and for the dashboard.
#[derive(Clone, Debug)]
pub struct Doors {
    connections: Arc<[Connections]>,
    webhooks: Arc<[Webhook]>,
    folders: Arc<[FolderHandle]>,
    shutdown: Shutdown,
}

/// One app's webhook. It has no state: the host listens before anybody can ask for the state.
#[derive(Debug)]
pub struct Webhook {
    /// Id of the app.
    pub app: String,
    /// Path that the platform posts to.
    pub path: String,
    /// Address that the host listens on; `None` in a server that has mounted the router.
    pub address: Option<SocketAddr>,
}

impl Doors {
    /// Ready once all of these connections are up and the plugins that were in these folders at the start are loaded or
    /// refused, until the host stops.
    pub fn new(
        connections: Vec<Connections>,
        webhooks: Vec<Webhook>,
        folders: Arc<[FolderHandle]>,
        shutdown: Shutdown,
    ) -> Self {
        Self { connections: connections.into(), webhooks: webhooks.into(), folders, shutdown }
    }

    /// Names what is missing; empty when the host is ready.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.shutdown.has_begun() {
            missing.push("the host is stopping".to_owned());
        }
        for folder in self.folders.iter() {
            let app = folder.app();
            missing.extend(
                folder
                    .awaited()
                    .into_iter()
                    .map(|plugin| format!("app {app}, plugin {plugin}: still being loaded")),
            );
        }
        for connections in self.connections.iter() {
            for (index, state) in connections.states().into_iter().enumerate() {
                let (app, number) = (connections.app(), index + 1);
                match state {
                    ConnectionState::Up => {}
                    ConnectionState::Down(reason) => {
                        missing.push(format!("app {app}, connection {number}: {reason}"))
                    }
                    ConnectionState::Fatal(reason) => {
                        missing.push(format!("app {app}, connection {number}, given up: {reason}"));
                    }
                }
            }
        }
        missing
    }

    /// Lists the doors with their states.
    pub fn to_json(&self) -> Vec<Value> {
        let webhooks = self.webhooks.iter().map(|webhook| {
            let Webhook { app, path, address } = webhook;
            json!({ "door": "webhook", "app": app, "path": path, "address": address, "state": "up" })
        });
        let connections = self.connections.iter().flat_map(|connections| {
            connections.states().into_iter().enumerate().map(|(index, state)| {
                let (state, reason) = match state {
                    ConnectionState::Up => ("up", None),
                    ConnectionState::Down(reason) => ("down", Some(reason)),
                    ConnectionState::Fatal(reason) => ("given_up", Some(reason)),
                };
                json!({
                    "door": "long_connection",
                    "app": connections.app(),
                    "number": index + 1,
                    "state": state,
                    "reason": reason,
                })
            })
        });
        webhooks.chain(connections).collect()
    }
}
