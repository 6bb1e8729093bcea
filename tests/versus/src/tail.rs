//! A log followed while it grows, without reading it again from its beginning.

use std::fs::File;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::path::Path;

/// The end of a log.
pub(crate) struct Tail {
    file: File,
    unfinished: Vec<u8>,
}

impl Tail {
    /// From where it ends now.
    pub(crate) fn of(log: &Path) -> anyhow::Result<Self> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, unfinished: Vec::new() })
    }

    /// Does one of the lines that were finished since the last look hold that text?
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
