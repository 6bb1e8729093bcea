//! Tries to read the host's files and environment and to open a connection, and answers with the results: `nothing` if all
//! attempts failed. The setting `address` names a listening socket.

use std::net::TcpStream;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::config;

/// Files that exist on the machines this runs on, and the host's own configuration.
const FILES: [&str; 4] = ["/etc/passwd", "/proc/self/environ", "aviary.toml", "../aviary.toml"];

aviary_sdk::export!(card_action: answer);

fn answer(_: CardAction) -> Result<CardReply, Failure> {
    let mut got: Vec<String> = FILES
        .iter()
        .filter(|file| std::fs::read(file).is_ok())
        .map(|file| (*file).to_owned())
        .collect();
    got.extend(std::env::vars().map(|(name, _)| name));
    got.extend(std::env::args());
    if let Some(address) = config::get("address")?
        && TcpStream::connect(&address).is_ok()
    {
        got.push(address);
    }
    Ok(Toast::info(if got.is_empty() { "nothing".to_owned() } else { got.join(" ") }).into())
}
