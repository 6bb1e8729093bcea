//! This machine: ports, open files, and the kernel's features that make guests quick.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::doctor::finding::Finding;
#[cfg(target_os = "linux")]
use crate::runtime::machine::swap::ADVICE;
#[cfg(target_os = "linux")]
use crate::runtime::machine::swap::Exposure;

/// The first kernel that reports which pages an instance touched, so that only those are cleaned for the next one.
const PAGE_MAP_SCAN: (u64, u64) = (6, 7);

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(address) = config.webhook.listen {
        findings.push(port("webhook.listen", address).await);
    }
    if let Some(admin) = &config.admin {
        findings.push(port("admin.listen", admin.listen).await);
    }
    findings.push(open_files(config.open_files()));
    #[cfg(target_os = "linux")]
    findings.extend([kernel(), swap()]);
    findings
}

async fn port(key: &str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => Finding::fine(key, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::note(
            key,
            format!("{address} is taken"),
            "if that is this host, all is well; if not, the host does not start",
            "stop whoever has the port, or choose another",
        ),
        Err(error) => Finding::fault(
            key,
            format!("{address} cannot be had: {error}"),
            "the host does not start",
            "choose an address of this machine, and a port above 1023 or the right to use a lower one",
        ),
    }
}

fn open_files(needed: u64) -> Finding {
    // The host raises its limit in the same way when it starts.
    match crate::open_files::raise_limit() {
        Some(limit) if limit < needed => Finding::warning(
            "open files",
            format!(
                "this process may have {limit} at a time, and these settings can need {needed}"
            ),
            "every connection is one, and a webhook without one more answers nobody",
            "raise it: `ulimit -n 65536`, or LimitNOFILE=65536 for systemd",
        ),
        Some(limit) => Finding::fine(
            "open files",
            format!("{limit} at a time, and these settings can need {needed}"),
        ),
        None => Finding::fine("open files", "no limit"),
    }
}

#[cfg(target_os = "linux")]
fn kernel() -> Finding {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|text| text.parse().ok());
    let version = (numbers.next().flatten(), numbers.next().flatten());
    match version {
        (Some(major), Some(minor)) if (major, minor) < PAGE_MAP_SCAN => Finding::note(
            "kernel",
            format!("Linux {release} cannot tell which pages a guest touched"),
            "a fresh instance for each callback costs about twice as much",
            "Linux 6.7 or later can",
        ),
        _ => Finding::fine("kernel", format!("Linux {release}")),
    }
}

#[cfg(target_os = "linux")]
fn swap() -> Finding {
    match Exposure::now() {
        Exposure::NoSwap => Finding::fine("swap", "this machine has none"),
        Exposure::RuledOut(limit) => {
            Finding::fine("swap", format!("ruled out for this process by {}", limit.display()))
        }
        Exposure::Swappable => Finding::note(
            "swap",
            "memory of this process may be swapped out",
            "the quickest way of wiping a guest's memory would miss what is swapped out, so a host does without it: a \
             fresh instance for each callback costs more",
            ADVICE,
        ),
    }
}
