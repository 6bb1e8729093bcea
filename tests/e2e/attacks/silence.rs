//! Silent or slow clients must not keep the places of those that send callbacks.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::PATIENCE;
use aviary_e2e::artifacts;
use aviary_e2e::certificates::TestAuthority;
use aviary_e2e::host::HostProcess;
use aviary_e2e::http::Request;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::environment;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Connection limit of the host under attack. A few hundred attackers fill it several times.
const PLACES: usize = 64;
/// Clicks that are timed, each over a connection of its own.
const CLICKS: usize = 40;
/// Connections of one attack: at 240 a second, as when it was found, they last longer than a second.
const ATTACKERS: usize = 300;
const BETWEEN_ATTACKERS: Duration = Duration::from_micros(4100);
/// Tolerated difference between latencies: places that cannot be taken are free at once. Before the fix, a click waited for a
/// head's time-out of five seconds.
const MARGIN: Duration = Duration::from_millis(250);
/// A connection that makes way is closed within `AT_ONCE`; one that is left alone is still open after `STILL`.
const AT_ONCE: Duration = Duration::from_secs(3);
const STILL: Duration = Duration::from_millis(300);

fn setup() -> anyhow::Result<Setup> {
    let app = App::default().webhook_only().guest("version-a")?;
    Ok(Setup::new(app).set("webhook", "max_connections", PLACES))
}

/// Connects from that address of this machine: all of `127.0.0.0/8` are local.
async fn connect_from(address: [u8; 4], to: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((IpAddr::from(address), 0)))?;
    Ok(socket.connect(to).await?)
}

/// Returns the address of one of sixteen attackers.
fn attacker(number: usize) -> [u8; 4] {
    [127, 0, 1, u8::try_from(number % 16).unwrap_or_default() + 1]
}

/// Median and 90th percentile of the clicks' latencies.
#[derive(Debug)]
struct Times {
    median: Duration,
    most: Duration,
}

async fn clicks(to: SocketAddr) -> anyhow::Result<Times> {
    let mut times = Vec::new();
    for _ in 0..CLICKS {
        let answer = sender::plain(sender::click("b").to_string()).send(to).await?;
        ensure!(
            answer.status == 200 && answer.toast() == "a",
            "{} {}",
            answer.status,
            answer.text()
        );
        times.push(answer.elapsed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times.sort();
    Ok(Times { median: times[CLICKS / 2], most: times[CLICKS * 9 / 10] })
}

/// Asserts that clicks during `attack` are about as quick as before it.
async fn clicks_stay_quick(
    to: SocketAddr,
    attack: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let before = clicks(to).await?;
    let meanwhile = tokio::select! {
        biased;
        result = attack => Err(anyhow::anyhow!("the attack ended first: {result:?}")),
        times = clicks(to) => times,
    }?;
    for (before, meanwhile) in [(before.median, meanwhile.median), (before.most, meanwhile.most)] {
        ensure!(meanwhile <= 5 * before + MARGIN, "before {before:?}, under attack {meanwhile:?}");
    }
    Ok(())
}

/// Opens connections one after the other, sends `words` on each and keeps them, for ever.
async fn keeps_saying(to: SocketAddr, words: &str) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    for number in 0..ATTACKERS {
        let mut stream = connect_from(attacker(number), to).await?;
        // Some are closed before they have sent everything, as they should be.
        let _ = stream.write_all(words.as_bytes()).await;
        kept.push(stream);
        tokio::time::sleep(BETWEEN_ATTACKERS).await;
    }
    loop {
        for (number, stream) in kept.iter_mut().enumerate() {
            // Closed connections are opened again.
            if is_closed_within(stream, Duration::ZERO).await {
                *stream = connect_from(attacker(number), to).await?;
                let _ = stream.write_all(words.as_bytes()).await;
            } else {
                let _ = stream.write_all(b"x").await;
            }
            tokio::time::sleep(BETWEEN_ATTACKERS).await;
        }
    }
}

async fn is_closed_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let mut read = [0; 1024];
    let ends = async {
        loop {
            match stream.read(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    tokio::time::timeout(limit, ends).await.is_ok()
}

#[tokio::test]
async fn silent_connections_make_way_at_once() -> anyhow::Result<()> {
    let running = setup()?.start().await?;
    let webhook = running.webhook().await?;
    clicks_stay_quick(webhook, keeps_saying(webhook, "")).await?;
    running.host.log().wait_for(events::CONNECTION_LIMIT_REACHED, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn heads_that_drip_make_way_at_once() -> anyhow::Result<()> {
    let running = setup()?.start().await?;
    let webhook = running.webhook().await?;
    clicks_stay_quick(webhook, keeps_saying(webhook, "POST /callback HTTP/1.1\r\nX-Drip: ")).await
}

#[tokio::test]
async fn bodies_that_drip_take_no_place_of_a_request() -> anyhow::Result<()> {
    let running = setup()?.set("webhook", "max_requests", 8).start().await?;
    let webhook = running.webhook().await?;
    let head = "POST /callback HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{";
    clicks_stay_quick(webhook, keeps_saying(webhook, head)).await
}

#[tokio::test]
async fn silence_before_tls_makes_way_too() -> anyhow::Result<()> {
    let running = setup()?.webhook_over_tls(&TestAuthority::new()?).start().await?;
    oldest_make_way(running.webhook().await?, PLACES).await
}

/// Fills a port twice with silent connections: the oldest are closed, and the newest stay.
async fn oldest_make_way(to: SocketAddr, places: usize) -> anyhow::Result<()> {
    let mut silent = Vec::new();
    for number in 0..places + 20 {
        silent.push(connect_from(attacker(number), to).await?);
    }
    ensure!(is_closed_within(&mut silent[0], AT_ONCE).await, "the first one is still there");
    let last = silent.len() - 1;
    ensure!(!is_closed_within(&mut silent[last], STILL).await, "the last one is gone");
    Ok(())
}

#[tokio::test]
async fn one_client_does_not_have_all_places() -> anyhow::Result<()> {
    let running = setup()?.start().await?;
    let webhook = running.webhook().await?;
    let (greedy, modest) = ([127, 0, 0, 2], [127, 0, 0, 3]);
    let mut first = connect_from(modest, webhook).await?;
    let mut many = Vec::new();
    for _ in 0..PLACES {
        many.push(connect_from(greedy, webhook).await?);
    }
    ensure!(is_closed_within(&mut many[0], AT_ONCE).await, "a client keeps more than half");
    ensure!(!is_closed_within(&mut first, STILL).await, "another client has lost its place");
    let last = many.len() - 1;
    ensure!(!is_closed_within(&mut many[last], STILL).await, "a client keeps half");
    Ok(())
}

#[tokio::test]
async fn a_proxy_in_front_speaks_for_everybody() -> anyhow::Result<()> {
    let setup = setup()?.set("webhook", "trusted_proxy_header", "x-forwarded-for");
    let running = setup.start().await?;
    let webhook = running.webhook().await?;
    let mut connections = Vec::new();
    for _ in 0..PLACES - 1 {
        connections.push(connect_from([127, 0, 0, 2], webhook).await?);
    }
    ensure!(!is_closed_within(&mut connections[0], STILL).await, "it has a place like the others");
    Ok(())
}

#[tokio::test]
async fn who_never_reads_is_cut_off() -> anyhow::Result<()> {
    let running = setup()?.start().await?;
    let folder = tempfile::tempdir()?;
    let arguments = ["simulate", "--listen", "127.0.0.1:0"];
    let simulator = HostProcess::start(&arguments, folder.path(), &[])?;
    let ports = [
        ("webhook", running.webhook().await?, "/nowhere"),
        ("admin", running.host.admin().await?, "/metrics"),
        ("simulator", simulator.printed_address().await?, "/simulator/state"),
    ];
    let mut cut = JoinSet::new();
    for (what, port, path) in ports {
        cut.spawn(async move {
            never_reads(port, path).await.with_context(|| format!("{what} goes on"))
        });
    }
    while let Some(cut) = cut.join_next().await {
        cut??;
    }
    clicks(running.webhook().await?).await.map(drop)
}

/// Sends requests without reading the answers until the port closes the connection.
async fn never_reads(port: SocketAddr, path: &str) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(port).await?;
    let requests = format!("GET {path} HTTP/1.1\r\nHost: {port}\r\n\r\n").repeat(1000);
    let asking = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(2 * PATIENCE, asking).await.context("it was never cut off")
}

/// Each asks for a large page again and again on one connection, and reads none.
#[tokio::test]
async fn pages_without_end_delay_no_click() -> anyhow::Result<()> {
    const ASKING: usize = 16;
    let running = setup()?.start().await?;
    let admin = running.host.admin().await?;
    let attack = async {
        let asking = (0..ASKING).map(|_| never_reads(admin, "/metrics"));
        futures_util::future::try_join_all(asking).await.map(drop)
    };
    clicks_stay_quick(running.webhook().await?, attack).await
}

#[tokio::test]
async fn the_admin_port_is_served_with_the_same_care() -> anyhow::Result<()> {
    /// The same number as in `guarded_http::server::Limits::FOR_PEOPLE`.
    const ADMIN_PLACES: usize = 256;
    let running = setup()?.start().await?;
    let admin = running.host.admin().await?;
    let mut silent = Vec::new();
    for number in 0..ADMIN_PLACES + 40 {
        silent.push(connect_from(attacker(number), admin).await?);
    }
    let alive = Request::get("/healthz").send(admin).await?;
    ensure!(alive.status == 200 && alive.elapsed < AT_ONCE, "{:?}", alive.elapsed);
    ensure!(is_closed_within(&mut silent[0], AT_ONCE).await, "the first one is still there");
    let last = silent.len() - 1;
    ensure!(!is_closed_within(&mut silent[last], STILL).await, "the last one is gone");
    // A silent connection ends even if no other needs its place.
    ensure!(is_closed_within(&mut silent[last], PATIENCE).await, "silence has no end");
    Ok(())
}

/// Writes the files of a host that is not running.
async fn written_down(app: App) -> anyhow::Result<Running> {
    let mut running = Setup::new(app).launch(false).await?;
    running.host.kill().await?;
    Ok(running)
}

/// Starts a host on these files with a limit of open files: `limits` are the arguments of `ulimit`.
fn with_few_files(running: &Running, limits: &str, command: &str) -> anyhow::Result<HostProcess> {
    let binary = artifacts::host_binary()?;
    let script =
        format!("ulimit {limits}; exec '{}' {command} --config aviary.toml", binary.display());
    HostProcess::start_program(
        Path::new("/bin/sh"),
        &["-c", &script],
        running.folder(),
        &environment(),
    )
}

#[tokio::test]
async fn a_host_without_file_descriptors_answers_and_says_what_it_needs() -> anyhow::Result<()> {
    const FEW: &str = "96";
    const WARNING: &str = "this process may open fewer files than its settings can need";
    let running = written_down(App::default().webhook_only().guest("version-a")?).await?;
    let host = with_few_files(&running, &format!("-n {FEW}"), "run")?;
    host.wait_for_readyz(200).await?;
    host.log().wait_for_text(WARNING).await?;
    let webhook = host.webhook().await?;
    let before = host.processor_time()?;
    let began = Instant::now();
    clicks_stay_quick(webhook, keeps_saying(webhook, "")).await?;
    let (busy, took) = (host.processor_time()? - before, began.elapsed());
    ensure!(busy < took, "accepting burns a core: {busy:?} in {took:?}");
    let lines = host.log().lines(|line| line.is(events::ACCEPT_FAILED, &[])).len();
    ensure!((1..20).contains(&lines), "{lines} lines about the same thing");
    let mut doctor = with_few_files(&running, &format!("-n {FEW}"), "doctor")?;
    doctor.wait().await?;
    let said = doctor.stdout().text();
    ensure!(said.contains("at a time, and these settings can need"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_host_raises_its_limit_of_files_as_far_as_it_may() -> anyhow::Result<()> {
    let running = written_down(App::default().webhook_only()).await?;
    let host = with_few_files(&running, "-Sn 128", "run")?;
    host.wait_for_readyz(200).await?;
    let (soft, hard) = host.open_files_limit()?;
    ensure!(soft == hard && soft != "128", "{soft} of {hard}");
    Ok(())
}
