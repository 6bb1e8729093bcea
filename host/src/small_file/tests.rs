//! Tests that every way of reading refuses things that are not regular files.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::CWD;

use super::*;

fn fifo(path: &Path) {
    rustix::fs::mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

#[test]
fn what_is_not_a_regular_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fifo(&at("fifo"));
    let _socket = UnixListener::bind(at("socket")).unwrap();
    symlink("/dev/zero", at("zero")).unwrap();
    symlink("fifo", at("link")).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    for (name, kind) in [
        ("fifo", "a FIFO"),
        ("link", "a FIFO"),
        ("socket", "a socket"),
        ("zero", "a device"),
        ("folder", "a folder"),
    ] {
        for error in [read(&at(name), 100).unwrap_err(), read_so_far(&at(name), 100).unwrap_err()] {
            let said = error.to_string();
            assert!(said.contains(kind) && said.contains(name), "{name}: {said}");
        }
    }
    assert!(read(&at("missing"), 100).unwrap_err().is_missing());
}

#[test]
fn a_file_is_read_up_to_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "12345").unwrap();
    assert_eq!(read(&path, 5).unwrap(), b"12345");
    let error = read(&path, 4).unwrap_err();
    assert!(matches!(error.fault, ReadFault::TooLarge { limit: 4 }), "{error}");
    std::fs::write(&path, [0xff]).unwrap();
    assert!(matches!(read_text(&path, 5).unwrap_err().fault, ReadFault::NotUtf8));
}

/// The file grows after its length was checked; the additional bytes must not be read without end.
#[test]
fn a_file_that_grows_while_it_is_read_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut writing = File::create(&path).unwrap();
    let file = regular(open(&path).unwrap()).unwrap();
    writing.write_all(&[b'a'; 1000]).unwrap();
    let mut before = Vec::new();
    (&file).take(10).read_to_end(&mut before).unwrap();
    let read = content(&file, 2000).unwrap();
    assert_eq!(read.len(), 990);
    // Files of the kernel report no length but have content.
    let error = super::read(Path::new("/proc/self/maps"), 10).unwrap_err();
    assert!(matches!(error.fault, ReadFault::TooLarge { .. }), "{error}");
    assert!(super::read(Path::new("/proc/self/stat"), 10_000).unwrap().len() > 10);
}
