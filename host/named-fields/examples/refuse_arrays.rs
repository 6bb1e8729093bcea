//! Reads an array in the place of a struct, which a derived `Deserialize` accepts and this crate refuses: `cargo run --package
//! named-fields --example refuse_arrays`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the fields are printed")]
struct Transfer {
    to: String,
    cents: u64,
}

fn main() {
    for json in [r#"{ "to": "Ada", "cents": 7 }"#, r#"["Mallory", 700]"#] {
        println!("{json}");
        println!("  serde_json:   {:?}", serde_json::from_str::<Transfer>(json));
        println!("  named_fields: {:?}", named_fields::from_str::<Transfer>(json));
    }
}
