//! Block devices, by `/sys/dev/block`.

use super::table::{DEVICES, Durability, MODELS, NVME_NETWORKS, PATHS};
use crate::host::HostFs;

/// Most layers of device mapper and RAID that are followed down, and most disks that are looked at below them.
const MOST_LAYERS: usize = 8;
const MOST_DISKS: usize = 8;

/// What holds a file system.
#[derive(Debug)]
pub(super) struct Device {
    pub durability: Durability,
    pub evidence: String,
    /// Whether it shows in `/sys` at all.
    pub is_seen: bool,
    /// Whether it is a disk as it came, with no partition and nothing made of several or of a part.
    pub is_whole_disk: bool,
    /// `major:minor` of the first disk at the bottom.
    disk: String,
}

impl Device {
    /// The device `major:minor`, by what is below encryption, volumes and RAID.
    pub(super) fn find(fs: &HostFs, number: &str) -> Self {
        let mut disks = Vec::new();
        descend(fs, number, MOST_LAYERS, &mut disks);
        let mut judged = disks.iter().map(|disk| judge(fs, disk));
        let (durability, evidence) =
            judged.next().unwrap_or_else(|| (Durability::Unknown, "no device".to_owned()));
        let agree = judged.all(|(other, _)| other == durability);
        let disk = disks.first().map_or(number, String::as_str).to_owned();
        let is_partition = fs.exists(&format!("/sys/dev/block/{number}/partition")).unwrap_or(false);
        Self {
            durability: if agree { durability } else { Durability::Unknown },
            evidence: if agree { evidence } else { format!("{evidence}, and disks of another kind") },
            is_seen: !place(fs, number).is_empty(),
            is_whole_disk: disk == number && !is_partition,
            disk,
        }
    }

    /// A file of the disk's queue, empty where there is none.
    pub(super) fn queue(&self, fs: &HostFs, file: &str) -> String {
        of_disk(fs, &self.disk, &format!("queue/{file}")).unwrap_or_default()
    }
}

/// The device's directory in `/sys`.
fn place(fs: &HostFs, number: &str) -> String {
    fs.link(&format!("/sys/dev/block/{number}")).unwrap_or_default()
}

/// The row of [`DEVICES`] of a name with a number or a letter after it.
fn by_name(place: &str) -> Option<(Durability, &'static str)> {
    let name = place.rsplit('/').next()?;
    let is = |start: &str| {
        name.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    DEVICES.iter().find(|(start, ..)| is(start)).map(|(_, durability, evidence)| (*durability, *evidence))
}

/// Collects what is below `number`, or itself.
fn descend(fs: &HostFs, number: &str, layers: usize, disks: &mut Vec<String>) {
    if disks.len() >= MOST_DISKS {
        return;
    }
    let folder = format!("/sys/dev/block/{number}/slaves");
    let names = if layers > 0 && by_name(&place(fs, number)).is_none() {
        fs.names(&folder).unwrap_or_default()
    } else {
        Vec::new()
    };
    let below = names.into_iter().filter_map(|name| fs.text(&format!("{folder}/{name}/dev")).ok());
    let mut is_bottom = true;
    for below in below {
        is_bottom = false;
        descend(fs, below.trim(), layers.saturating_sub(1), disks);
    }
    if is_bottom && !disks.iter().any(|disk| disk == number) {
        disks.push(number.to_owned());
    }
}

fn judge(fs: &HostFs, number: &str) -> (Durability, String) {
    let place = place(fs, number);
    if let Some((_, evidence)) = PATHS.iter().find(|(part, _)| place.contains(part)) {
        return (Durability::Attached, (*evidence).to_owned());
    }
    if place.contains("/nvme") && is_nvme_over_network(fs, number) {
        return (Durability::Attached, "NVMe over a network".to_owned());
    }
    if let Some((durability, evidence)) = by_name(&place) {
        return (durability, evidence.to_owned());
    }
    if let Some(model) = of_disk(fs, number, "device/model").filter(|model| !model.is_empty()) {
        let known = MODELS.iter().find(|(start, _)| model.starts_with(start));
        return (
            known.map_or(Durability::NodeLocal, |(_, durability)| *durability),
            format!("model {model}"),
        );
    }
    if place.is_empty() {
        return (Durability::Unknown, "the device is not to be seen".to_owned());
    }
    let name = place.rsplit('/').next().unwrap_or_default();
    (Durability::Unknown, format!("device {name} without a model"))
}

/// By the device's controller, or by those of its subsystem where the kernel takes several paths for one
/// (Documentation/admin-guide/nvme-multipath.rst).
fn is_nvme_over_network(fs: &HostFs, number: &str) -> bool {
    let is_network = |transport: String| NVME_NETWORKS.contains(&transport.as_str());
    if let Some(transport) = of_disk(fs, number, "device/transport") {
        return is_network(transport);
    }
    let folders = [format!("/sys/dev/block/{number}/device"), format!("/sys/dev/block/{number}/../device")];
    let subsystem = folders.iter().find_map(|folder| Some((folder, fs.names(folder).ok()?)));
    let Some((folder, names)) = subsystem else { return false };
    let is_controller = |name: &&String| {
        name.strip_prefix("nvme").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut transports = names
        .iter()
        .filter(is_controller)
        .filter_map(|name| fs.text(&format!("{folder}/{name}/transport")).ok());
    transports.any(|transport| is_network(transport.trim().to_owned()))
}

/// A file of the whole disk: a partition's directory lies within the disk's.
fn of_disk(fs: &HostFs, number: &str, file: &str) -> Option<String> {
    [format!("/sys/dev/block/{number}/{file}"), format!("/sys/dev/block/{number}/../{file}")]
        .iter()
        .find_map(|path| fs.text(path).ok())
        .map(|text| text.trim().to_owned())
}
