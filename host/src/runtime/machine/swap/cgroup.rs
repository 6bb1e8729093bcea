//! Finds the cgroup that allows this process no swap, if there is one.
//!
//! Only version 2 has such a limit: `memory.swap.max` is charged before a page goes out, in every cgroup above the process.
//! Version 1 limits memory and swap together, and where both limits are the same, the machine may still swap a page out for
//! the sake of others.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::runtime::machine::swap::reads_zero;

/// Lists the cgroups of this process.
const MEMBERSHIP: &str = "/proc/self/cgroup";
/// Lists the mounts, among them the tree of cgroups.
const MOUNTS: &str = "/proc/self/mountinfo";

/// A cgroup's limit of no swap at all.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) path: PathBuf,
    pub(super) open: File,
    /// The contents of [`MEMBERSHIP`] when the limit was found.
    pub(super) cgroup: String,
}

impl Limit {
    /// True if the limit is still zero.
    pub(super) fn holds(&self) -> bool {
        reads_zero(&self.open)
    }

    /// True if this process is still in the same cgroup.
    pub(super) fn applies(&self) -> bool {
        std::fs::read_to_string(MEMBERSHIP).is_ok_and(|cgroup| cgroup == self.cgroup)
    }
}

/// Returns the innermost limit of zero on the path from this process's cgroup to the top, as far as the process can see it.
pub(super) fn limit() -> Option<Limit> {
    let cgroup = std::fs::read_to_string(MEMBERSHIP).ok()?;
    let mounts = std::fs::read(MOUNTS).ok()?;
    let (top, inside) = location(&cgroup, &mounts)?;
    inside.ancestors().find_map(|ancestor| {
        let path = top.join(ancestor).join("memory.swap.max");
        let open = File::open(&path).ok()?;
        reads_zero(&open).then(|| Limit { path, open, cgroup: cgroup.clone() })
    })
}

/// Returns the mount point of the tree, and the path from there to the process's cgroup. `None` if there is no tree of version
/// 2, or none that contains the process's cgroup.
fn location(cgroup: &str, mounts: &[u8]) -> Option<(PathBuf, PathBuf)> {
    let own = Path::new(cgroup.lines().find_map(|line| line.strip_prefix("0::"))?);
    mounts.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let (root, top) = (unescaped(fields.nth(3)?), unescaped(fields.next()?));
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        let inside = own.strip_prefix(&root).ok()?;
        let is_plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
        (kind == b"cgroup2" && is_plain).then(|| (top, inside.to_owned()))
    })
}

/// Decodes the octal escapes with which the kernel writes spaces and similar characters.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = |digit: &u8| digit.wrapping_sub(b'0');
        match after {
            [a, b, c, after @ ..] if *first == b'\\' => {
                bytes.push(
                    octal(a).wrapping_mul(64).wrapping_add(octal(b) * 8).wrapping_add(octal(c)),
                );
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTED: &str = "22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
                           30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

    fn found(cgroup: &str, mounts: &str) -> Option<(String, String)> {
        let (top, inside) = location(cgroup, mounts.as_bytes())?;
        Some((top.display().to_string(), inside.display().to_string()))
    }

    #[test]
    fn a_unit_of_systemd_has_its_cgroup() {
        let unit = "0::/system.slice/aviary.service\n";
        let expected = ("/sys/fs/cgroup".to_owned(), "system.slice/aviary.service".to_owned());
        assert_eq!(found(unit, MOUNTED), Some(expected));
    }

    #[test]
    fn a_container_is_at_the_top_of_what_it_sees() {
        assert_eq!(found("0::/\n", MOUNTED), Some(("/sys/fs/cgroup".to_owned(), String::new())));
        let bound = MOUNTED.replace("0:26 / ", "0:26 /pods/one ");
        let inside = found("0::/pods/one/app\n", &bound);
        assert_eq!(inside, Some(("/sys/fs/cgroup".to_owned(), "app".to_owned())));
    }

    #[test]
    fn what_cannot_be_seen_is_no_limit() {
        assert_eq!(found("4:memory:/x\n", MOUNTED), None, "version 1 alone");
        assert_eq!(found("0::/../other\n", MOUNTED), None, "outside of the namespace");
        assert_eq!(found("0::/elsewhere\n", &MOUNTED.replace("0:26 / ", "0:26 /pods ")), None);
        assert_eq!(found("0::/x\n", &MOUNTED.replace("cgroup2", "cgroup")), None);
    }

    #[test]
    fn a_mount_point_may_have_a_space() {
        let mounted = MOUNTED.replace("/sys/fs/cgroup", "/my\\040groups");
        assert_eq!(found("0::/\n", &mounted), Some(("/my groups".to_owned(), String::new())));
    }
}
