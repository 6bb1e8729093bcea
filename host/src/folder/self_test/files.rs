//! The files of a plugin's self-tests, and the names by which their author knows them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use bytes::Bytes;

use crate::folder::self_test::SelfTestError;
use crate::folder::self_test::SelfTestFault;
use crate::small_file::OpenFolder;
use crate::small_file::ReadError;

/// Callbacks that a plugin may bring. Each may take until its deadline, and other plugins wait meanwhile.
pub(super) const MAX_TESTS: usize = 16;
/// The largest test, in bytes. The platform's own callbacks have a tenth of that.
const MAX_BODY_BYTES: u64 = 1024 * 1024;
/// The ending of a file of answers: `click.api.json` is about `click.json`.
const ANSWERS: &str = ".api.json";
/// List in the folder of self-tests of the author's files that a build copied there, one path on each line.
pub const AUTHORS: &str = ".authors";
/// Largest list of an author's files, in bytes. A host takes 16 callbacks, but the list may name more.
pub const MAX_LIST_BYTES: u64 = 1 << 20;

/// Tells whether a file beside self-tests is a callback, by its name.
pub fn is_callback(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json") && subject(path).is_none()
}

/// Returns the name of the callback that a file of answers is about; `None` if it is no such file.
fn subject(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(format!("{}.json", name.strip_suffix(ANSWERS)?))
}

/// The self-tests of one plugin, in the order in which they run.
#[derive(Debug, Default)]
pub(in crate::folder) struct SelfTests(Vec<SelfTest>);

/// A decrypted callback, and the answers for what the plugin asks meanwhile.
#[derive(Debug)]
pub(super) struct SelfTest {
    pub(super) callback: TestFile,
    pub(super) answers: Option<TestFile>,
}

/// A file, under the path by which its author knows it.
#[derive(Debug)]
pub(super) struct TestFile {
    pub(super) path: PathBuf,
    pub(super) bytes: Bytes,
}

impl SelfTests {
    /// Reads the tests in `inside`, a subfolder of the plugins folder. If it is missing, there are no tests. Blocks for as long as
    /// the file system does.
    pub(in crate::folder) fn read(
        folder: &OpenFolder,
        inside: &Path,
    ) -> Result<Self, SelfTestError> {
        let names = match folder.names(inside) {
            Ok(names) => names,
            Err(error) if error.is_missing() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let reader = Reader { folder, inside, authors: authors(folder, inside) };
        let failed = |path, fault| Err(SelfTestError::Failed { path, fault });
        let (mut callbacks, mut answers): (Vec<_>, Vec<_>) = names
            .into_iter()
            .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "json"))
            .partition(|name| is_callback(Path::new(name)));
        if callbacks.len() > MAX_TESTS {
            return failed(folder.path().join(inside), SelfTestFault::TooMany);
        }
        // Folders are listed in any order. Sorting makes the reported fault the same each time.
        callbacks.sort();
        answers.sort();
        for name in &answers {
            let subject = subject(Path::new(name)).unwrap_or_default();
            if !callbacks.iter().any(|callback| *callback == *subject) {
                return failed(reader.path(name), SelfTestFault::NoCallback(subject));
            }
        }
        let tests = callbacks.into_iter().map(|name| {
            let of_this = |answers: &&OsString| {
                subject(Path::new(answers)).is_some_and(|subject| name == *subject)
            };
            let answers = answers.iter().find(of_this).map(|name| reader.read(name)).transpose()?;
            Ok(SelfTest { callback: reader.read(&name)?, answers })
        });
        Ok(Self(tests.collect::<Result<_, ReadError>>()?))
    }

    /// Returns the contents of all files.
    pub(in crate::folder) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flat_map(|test| {
            let answers = test.answers.as_ref().map_or(&[][..], |answers| &answers.bytes);
            [&test.callback.bytes[..], answers]
        })
    }

    pub(super) fn into_inner(self) -> Vec<SelfTest> {
        self.0
    }
}

struct Reader<'a> {
    folder: &'a OpenFolder,
    inside: &'a Path,
    authors: BTreeMap<OsString, PathBuf>,
}

impl Reader<'_> {
    fn read(&self, name: &OsString) -> Result<TestFile, ReadError> {
        let bytes = self.folder.read(&self.inside.join(name), MAX_BODY_BYTES)?.into();
        Ok(TestFile { path: self.path(name), bytes })
    }

    /// Returns the path of the author's own file, or of the one here if nobody knows another.
    fn path(&self, name: &OsString) -> PathBuf {
        let here = || self.folder.path().join(self.inside).join(name);
        self.authors.get(name).cloned().unwrap_or_else(here)
    }
}

/// Reads where the author keeps the files that a build copied. Without the list, they are known by their copies.
fn authors(folder: &OpenFolder, inside: &Path) -> BTreeMap<OsString, PathBuf> {
    let list = folder.read(&inside.join(AUTHORS), MAX_LIST_BYTES).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let paths = list.lines().map(PathBuf::from);
    paths.filter_map(|path| Some((path.file_name()?.to_owned(), path))).collect()
}
