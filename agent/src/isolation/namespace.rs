//! Which namespaces are private, and the maps of the user namespace.
//!
//! The kernel's first namespaces have fixed inodes (`enum init_ns_ino` in `linux/nsfs.h`): pid, user, uts, ipc, cgroup
//! and time for long, net and mount since 6.17. On older kernels the first mount namespace has one of the first numbers
//! that are given out, and the first network namespace is that of process 1, if the pid namespace is the first.

use tierprobe_model::Isolation;
use tierprobe_model::isolation::IdRange;

use super::Reader;

/// Namespaces and the inode of the kernel's first one.
const FIRST: &[(&str, u64)] = &[
    ("cgroup", 0xEFFF_FFFB),
    ("ipc", 0xEFFF_FFFF),
    ("mnt", 0xEFFF_FFF8),
    ("net", 0xEFFF_FFF9),
    ("pid", 0xEFFF_FFFC),
    ("time", 0xEFFF_FFFA),
    ("user", 0xEFFF_FFFD),
    ("uts", 0xEFFF_FFFE),
];

/// The first mount namespace of kernels that do not fix it.
const FIRST_MOUNT_BEFORE_FIXED: std::ops::Range<u64> = 0xF000_0000..0xF000_0002;

/// Smaller ones do not come from Linux: gVisor counts from 1.
const SMALLEST_LINUX: u64 = 0xEFFF_FFF8;

/// The kernel that fixed the last two.
const FIXED_ALL: (u32, u32) = (6, 17);

/// Lines of a map that are kept; the kernel allows 340.
const MOST_RANGES: usize = 340;

/// Reads `/proc/self/ns` and the maps.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    let release = reader.text("/proc/sys/kernel/osrelease");
    let fixes_all = release.as_deref().and_then(parse_release).map(|release| release >= FIXED_ALL);
    for (name, first) in FIRST {
        let path = format!("/proc/self/ns/{name}");
        let link = reader.fs.link(&path);
        let inode = reader.known(&path, link).and_then(|link| parse_inode(&link));
        let Some(inode) = inode.filter(|inode| *inode >= SMALLEST_LINUX) else { continue };
        let is_first = match *name {
            _ if inode == *first => Some(true),
            "mnt" => Some(FIRST_MOUNT_BEFORE_FIXED.contains(&inode)),
            "net" if fixes_all != Some(true) => None,
            _ => Some(false),
        };
        if let Some(is_first) = is_first {
            isolation.private_namespaces.insert((*name).to_owned(), !is_first);
        }
    }
    if isolation.is_private("net").is_none() && isolation.is_private("pid") == Some(false) {
        // Process 1 is the machine's own, and it stays in the first namespace. Only root may look.
        let net = |process: &str| reader.fs.link(&format!("/proc/{process}/ns/net"));
        if let (Ok(own), Ok(first)) = (net("self"), net("1")) {
            isolation.private_namespaces.insert("net".to_owned(), own != first);
        }
    }
    let mut map = |path: &str| reader.text(path).and_then(|text| parse_map(&text));
    isolation.uid_map = map("/proc/self/uid_map");
    isolation.gid_map = map("/proc/self/gid_map");
}

/// The number in `pid:[4026531836]`.
fn parse_inode(link: &str) -> Option<u64> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

/// Major and minor of `6.1.0-28-amd64`.
fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.trim().split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Lines of three numbers. An empty map is one too: it has not been written yet.
fn parse_map(text: &str) -> Option<Vec<IdRange>> {
    text.lines()
        .take(MOST_RANGES)
        .map(|line| {
            let mut numbers = line.split_ascii_whitespace().map(|number| number.parse().ok());
            let (inside, outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
            Some(IdRange { inside, outside, count })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_two_numbers() {
        assert_eq!(parse_release("6.1.0-28-amd64\n"), Some((6, 1)));
        assert_eq!(parse_release("6.18-rc1"), Some((6, 18)));
        assert_eq!(parse_release("linux"), None);
    }

    #[test]
    fn a_map_is_whole_or_not_there() {
        let map = parse_map("         0       1000          1\n         1     100000      65536\n").unwrap();
        assert_eq!(map[1], IdRange { inside: 1, outside: 100_000, count: 65_536 });
        assert_eq!(parse_map("0 1000\n"), None);
        assert_eq!(parse_map("0 0 4294967295").unwrap().len(), 1);
    }
}
