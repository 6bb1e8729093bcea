//! The real binary, over real sockets. One file for each behaviour; the harness is in `src/`.

mod both_doors;
mod breaker;
mod card_check;
mod cases;
mod config;
mod deadline;
mod demo;
mod discovery_vectors;
mod documents;
mod healing;
mod isolation;
mod late;
mod long_connection;
mod observability;
mod open_api;
mod proxy;
mod referees;
mod reload;
mod routing;
mod shutdown;
mod simulate;
mod tls;
mod vectors;
mod webhook;
mod webhook_vectors;
