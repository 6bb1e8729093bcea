//! Tests of the program `lark-simulator`, as a person starts it.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// The program, ended when it is dropped.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> std::io::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lark-simulator"));
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map(Self)
    }

    /// Returns the address from the line that says that the program listens.
    fn address(&mut self) -> Option<String> {
        let log = BufReader::new(self.0.stderr.take()?);
        let address = |line: String| Some(line.split_once("address=")?.1.trim().to_owned());
        log.lines().map_while(Result::ok).find_map(address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_listens_and_shows_its_state() {
    let mut program =
        Program::start(&["--listen", "127.0.0.1:0", "--app-id", "cli_00000000000000ab"]).unwrap();
    let address = program.address().unwrap();
    let mut stream = TcpStream::connect(&address).unwrap();
    let request =
        format!("GET /simulator/state HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("cli_00000000000000ab"), "{answer}");
}

#[test]
fn a_wrong_option_is_64_and_a_taken_port_69() {
    let ended = |arguments: &[&str]| Program::start(arguments).unwrap().0.wait().unwrap().code();
    assert_eq!(ended(&["--listen", "192.0.2.1:80"]), Some(64));
    assert_eq!(ended(&["--webhook", "http://example.com/", "--listen", "127.0.0.1:0"]), Some(64));
    assert_eq!(ended(&["--nonsense"]), Some(64));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(ended(&["--listen", &address]), Some(69));
}
