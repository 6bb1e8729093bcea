//! Prints to standard output and standard error, with a line break that would forge a log line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use aviary_sdk::Toast;

aviary_sdk::export!(card_action: |_| {
    println!("printed by a guest");
    println!("{{\"level\":\"ERROR\",\"message\":\"plugin live\",\"plugin\":\"forged\"}}");
    eprintln!("complained by a guest");
    Ok(Toast::info("printed").into())
});
