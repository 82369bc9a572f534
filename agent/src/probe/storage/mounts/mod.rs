//! What becomes of the files in each mount.
//!
//! From `/proc/self/mountinfo` (proc(5)) and, for block devices, `/sys/dev/block`. Nothing is asked of the mounts
//! themselves: one whose server is gone would keep whoever asks.

mod device;
mod table;

use std::collections::BTreeSet;

use crate::host::HostFs;
use crate::probe::ProbeError;
use device::Device;
use table::{Durability, HOST_DIRECTORY, ROOTS, Says, TYPES};

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Most mounts that are listed: each is a series.
const MOST_MOUNTS: usize = 16;

/// Longest label value; mount points are the user's to choose.
const MOST_CHARS: usize = 120;

/// One mount, classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub point: String,
    pub fstype: String,
    pub durability: &'static str,
    pub evidence: String,
    /// `write back` or `write through` of a block device, else empty.
    pub write_cache: String,
    /// `true` or `false` of a block device, else empty.
    pub rotational: &'static str,
}

/// One line of mountinfo.
struct Line<'a> {
    device: &'a str,
    root: &'a str,
    point: &'a str,
    fstype: &'a str,
    source: &'a str,
}

/// The mounts that hold files, `/` first, and how many more there are.
pub(super) fn classify(fs: &HostFs) -> Result<(Vec<Mount>, u64), ProbeError> {
    let text = fs.text(MOUNTINFO).map_err(|error| ProbeError::unread(MOUNTINFO, &error))?;
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut lines: Vec<Line<'_>> = text
        .lines()
        .filter_map(parse)
        .filter(holds_files)
        // The same files mounted twice are one place.
        .filter(|line| line.point == "/" || seen.insert((line.device, line.root)))
        .collect();
    // The last mount on `/` is the one that is seen.
    if let Some(last) = lines.iter().rposition(|line| line.point == "/") {
        let root = lines.remove(last);
        lines.retain(|line| line.point != "/");
        lines.insert(0, root);
    }
    let left_out = u64::try_from(lines.len().saturating_sub(MOST_MOUNTS)).unwrap_or(0);
    lines.truncate(MOST_MOUNTS);
    Ok((lines.iter().map(|line| mount(fs, line)).collect(), left_out))
}

fn parse(line: &str) -> Option<Line<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    let (device, root, point) = (fields.next()?, fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    Some(Line { device, root, point, fstype: fields.next()?, source: fields.next()? })
}

/// Not what the kernel makes up, nor single files that a runtime mounts over others.
fn holds_files(line: &Line<'_>) -> bool {
    let of_the_system = ["/dev", "/run", "/sys", "/proc"]
        .iter()
        .any(|folder| line.point == *folder || line.point.starts_with(&format!("{folder}/")));
    // LXCFS makes files of the kernel's up; what else user space serves may be anything.
    let is_users = line.fstype.starts_with("fuse.") && line.fstype != "fuse.lxcfs";
    let is_known = TYPES.iter().any(|(name, ..)| *name == line.fstype);
    let is_storage = line.source.starts_with("/dev/") || is_known || is_users;
    is_storage && !of_the_system && !line.point.starts_with("/etc/") && !line.point.starts_with("/snap/")
}

fn mount(fs: &HostFs, line: &Line<'_>) -> Mount {
    let device = line.source.starts_with("/dev/").then(|| Device::find(fs, &number(fs, line)));
    let (durability, evidence) = judge(line, device.as_ref());
    let queue = |file: &str| device.as_ref().map(|device| device.queue(fs, file)).unwrap_or_default();
    Mount {
        point: printable(line.point),
        fstype: printable(line.fstype),
        durability: durability.as_str(),
        evidence: printable(&evidence),
        write_cache: printable(&queue("write_cache")),
        rotational: match queue("rotational").as_str() {
            "1" => "true",
            "0" => "false",
            _ => "",
        },
    }
}

/// Durability, and evidence.
fn judge(line: &Line<'_>, device: Option<&Device>) -> (Durability, String) {
    if let Some(root) = ROOTS.iter().find(|root| line.root.contains(root.part)) {
        let of_root = (root.durability, root.evidence.to_owned());
        let Some(device) = device.filter(|device| device.is_seen) else { return of_root };
        let is_known = device.durability != Durability::Unknown;
        return match root.says {
            Says::All => of_root,
            Says::WholeDisk if !is_known && device.is_whole_disk => of_root,
            Says::WholeDisk | Says::Nothing => {
                (device.durability, format!("{}: {}", root.evidence, device.evidence))
            }
        };
    }
    if let Some((_, durability, evidence)) = TYPES.iter().find(|(name, ..)| *name == line.fstype) {
        let is_handed_in = *evidence == HOST_DIRECTORY && line.point == "/";
        let durability = if is_handed_in { Durability::Unknown } else { *durability };
        return (durability, (*evidence).to_owned());
    }
    match device {
        Some(device) => (device.durability, device.evidence.clone()),
        None => (Durability::Unknown, "a file system in user space".to_owned()),
    }
}

/// The number of the device that holds a file system. Some, such as btrfs, show one that stands for no device (major 0).
fn number(fs: &HostFs, line: &Line<'_>) -> String {
    let named = || {
        // A name that leads out of /dev may lead into a mount that does not answer.
        let source = Some(line.source).filter(|source| !source.contains("/../"))?;
        let link = fs.link(source);
        let name = link.as_deref().ok().unwrap_or(source).rsplit('/').next()?.to_owned();
        fs.text(&format!("/sys/class/block/{name}/dev")).ok()
    };
    let number = if line.device.starts_with("0:") { named() } else { None };
    number.map_or_else(|| line.device.to_owned(), |number| number.trim().to_owned())
}

/// A label value that anyone can read: the kernel writes blanks as `\040`, and names are the user's.
fn printable(text: &str) -> String {
    text.replace("\\040", " ").chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect()
}

#[cfg(test)]
mod tests;
