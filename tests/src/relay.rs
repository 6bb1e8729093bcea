//! A relay whose address is known before its target: it passes connections on to a host that starts later.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::OnceLock;

use tokio::net::TcpListener;
use tokio::net::TcpStream;

/// A listener that passes all connections on. It ends with the test.
pub struct Relay {
    address: SocketAddr,
    target: Arc<OnceLock<SocketAddr>>,
}

impl Relay {
    /// Starts to listen. Connections that come before there is a target are closed.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, target) = (listener.local_addr()?, Arc::new(OnceLock::new()));
        let known = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let Some(target) = known.get().copied() else { continue };
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Ok(Self { address, target })
    }

    /// Returns the address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the target of all further connections.
    pub fn leads_to(&self, target: SocketAddr) {
        // The target is set once; a test that sets it twice notices the wrong target.
        let _ = self.target.set(target);
    }
}
