//! The fuzz target of `aviary.toml`.

use std::path::Path;

use crate::config::ConfigError;
use crate::config::ConfigFile;

/// Asserts that the error of a refused text names one of its lines. Parses only the text, without reading files or variables.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = match ConfigFile::parse(text, Path::new("aviary.toml")) {
        Ok(file) => file,
        Err(ConfigError::Toml { line, .. }) => {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            return;
        }
        Err(error) => panic!("the text alone gives another error: {error}"),
    };
    // These validators only look at numbers.
    let _ = (file.deadline.validate(), file.guests.validate());
    let _ = (file.webhook.validate(), file.promote.validate());
}
