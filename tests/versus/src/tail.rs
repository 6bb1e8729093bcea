//! Follows a log while it grows, without reading it again from its beginning.

use std::fs::File;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::path::Path;

/// Reader of a log's new lines.
pub(crate) struct Tail {
    file: File,
    unfinished: Vec<u8>,
}

impl Tail {
    /// Starts at the log's current end.
    pub(crate) fn of(log: &Path) -> anyhow::Result<Self> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, unfinished: Vec::new() })
    }

    /// Returns true if a line that was completed since the last call contains the text.
    pub(crate) fn has_said(&mut self, text: &str) -> anyhow::Result<bool> {
        self.file.read_to_end(&mut self.unfinished)?;
        let end = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.unfinished.drain(..end).collect();
        Ok(lines.windows(text.len()).any(|part| part == text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_counts_once_it_is_finished() -> anyhow::Result<()> {
        let mut log = tempfile::NamedTempFile::new()?;
        writeln!(log, "plugin live")?;
        let mut tail = Tail::of(log.path())?;
        assert!(!tail.has_said("plugin live")?, "that was before");
        write!(log, "plugin li")?;
        assert!(!tail.has_said("plugin live")?);
        writeln!(log, "ve")?;
        assert!(tail.has_said("plugin live")?);
        assert!(!tail.has_said("plugin live")?, "it was said once");
        Ok(())
    }
}
