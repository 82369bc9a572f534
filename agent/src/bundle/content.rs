//! What of each file goes into a bundle.
//!
//! A file that detection knows line by line keeps what detection looks at; of all others only secrets are masked.

use std::fmt::Write as _;

use super::mask::{Masker, is_secret_key};

/// Bytes of an ACPI table's header, and of the FADT up to the end of its flags (ACPI specification, section 5.2).
const TABLE_HEADER_BYTES: usize = 36;
const FADT_BYTES: usize = 116;

/// The content of the file at `path`, without what is nobody's business. `speaks`: whether the verdict knows what stands
/// there for a public word.
#[must_use]
pub(super) fn reduced(path: &str, content: &[u8], speaks: bool, masker: &mut Masker) -> Vec<u8> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let text = || String::from_utf8_lossy(content);
    match name {
        "environ" => environment(&text(), masker).into_bytes(),
        "cgroup" => masked_lines(&text(), masker, Masker::words),
        "mountinfo" => masked_lines(&text(), masker, mount),
        "mounts" => masked_lines(&text(), masker, old_mount),
        "cmdline" => masked_lines(&text(), masker, command_line),
        "comm" | "container" | "container-manager" => masker.words(&text()).into_bytes(),
        "version" => masked_lines(&text(), masker, kernel_version),
        // Four numbers with dots are a release of WSL, not an address.
        "osrelease" => content.to_vec(),
        "chassis_asset_tag" if speaks => content.to_vec(),
        "chassis_asset_tag" => masker.whole(&text()).into_bytes(),
        _ if path.starts_with("sys/firmware/acpi/tables/") => {
            let length = if name == "FACP" { FADT_BYTES } else { TABLE_HEADER_BYTES };
            content.get(..length).unwrap_or(content).to_vec()
        }
        // The formatted part of an SMBIOS structure; its second byte is the length. Behind it are the strings.
        "raw" => content.get(..content.get(1).copied().map_or(0, usize::from)).unwrap_or(content).to_vec(),
        // Amazon's begin with `ec2`, which is all that anyone needs.
        "uuid" if path.starts_with("sys/hypervisor/") && content.starts_with(b"ec2") => {
            [b"ec2", masker.whole(&text()).get(3..).unwrap_or_default().as_bytes()].concat()
        }
        name if is_secret_key(name) => masker.whole(&text()).into_bytes(),
        _ => masker.bytes(content),
    }
}

fn masked_lines(text: &str, masker: &mut Masker, mask: impl Fn(&mut Masker, &str) -> String) -> Vec<u8> {
    let lines = text.split_inclusive('\n').map(|line| {
        // Ids that are several words are masked as one first.
        let line = masker.text(line);
        let masked = mask(masker, line.trim_end_matches('\n'));
        if line.ends_with('\n') { masked + "\n" } else { masked }
    });
    lines.collect::<String>().into_bytes()
}

/// The variables that detection looks at.
fn environment(text: &str, masker: &mut Masker) -> String {
    let variables = text.split('\0').filter_map(|variable| match variable.split_once('=')? {
        ("container", word) => Some(format!("container={}\0", masker.words(word))),
        ("KUBERNETES_SERVICE_HOST", _) => Some("KUBERNETES_SERVICE_HOST=192.0.2.1\0".to_owned()),
        // That it is there is all that counts.
        (name, _) if crate::detect::variables().any(|known| known == name) => Some(format!("{name}=1\0")),
        _ => None,
    });
    variables.collect()
}

/// A line of mountinfo without the file system's own options, which hold user names, addresses and labels.
fn mount(masker: &mut Masker, line: &str) -> String {
    let Some((before, after)) = line.split_once(" - ") else { return masker.words(line) };
    let mut fields: Vec<String> = before.split(' ').map(str::to_owned).collect();
    for path in fields.iter_mut().skip(3).take(2) {
        *path = masker.words(path);
    }
    let mut after = after.split(' ');
    let (fstype, source) = (after.next().unwrap_or_default(), masker.words(after.next().unwrap_or_default()));
    let options = options(masker, fstype, after.next().unwrap_or_default());
    format!("{} - {fstype} {source} {options}", fields.join(" "))
}

/// A line of `/proc/mounts`, likewise.
fn old_mount(masker: &mut Masker, line: &str) -> String {
    let fields: Vec<&str> = line.split(' ').collect();
    let [source, point, fstype, own, ..] = fields.as_slice() else { return masker.words(line) };
    let (source, point) = (masker.words(source), masker.words(point));
    format!("{source} {point} {fstype} {} 0 0", options(masker, fstype, own))
}

/// Of the options whether it may be written to, and of an overlay where its upper layer or its image is.
fn options(masker: &mut Masker, fstype: &str, options: &str) -> String {
    let mut kept = if options.split(',').next() == Some("ro") { "ro" } else { "rw" }.to_owned();
    let layers = options.split(',').filter_map(|option| {
        let (key, path) = option.split_once('=')?;
        (key == "upperdir" || crate::detect::is_of_an_image(option)).then_some((key, path))
    });
    for (key, path) in layers.filter(|_| fstype == "overlay") {
        let _infallible = write!(kept, ",{key}={}", masker.words(path));
    }
    kept
}

/// The kernel's parameters with their keys, and of what follows `--` and is its first process's only public words.
fn command_line(masker: &mut Masker, line: &str) -> String {
    let mut is_own = true;
    let words = line.split(' ').map(|word| {
        is_own &= word != "--";
        match word.split_once('=') {
            Some((key, value)) if is_own && is_secret_key(key) => format!("{key}={}", masker.whole(value)),
            Some((key, value)) if is_own => format!("{key}={}", masker.words(value)),
            _ if is_own => masker.words(word),
            _ => masker.whole(word),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The banner without who built the kernel where: `(root@builder)`.
fn kernel_version(_masker: &mut Masker, line: &str) -> String {
    let is_builder =
        |word: &str| word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    let words = line.split(' ').map(|word| if is_builder(word) { "(builder@host)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduce(path: &str, content: &str) -> String {
        let masked = reduced(path, content.as_bytes(), false, &mut Masker::default());
        String::from_utf8(masked).unwrap()
    }

    #[test]
    fn an_environment_is_reduced_to_what_detection_looks_at() {
        let environment = "PATH=/bin\0TOKEN=hunter2\0container=podman\0KUBERNETES_SERVICE_HOST=10.96.0.1\0";
        let expected = "container=podman\0KUBERNETES_SERVICE_HOST=192.0.2.1\0";
        assert_eq!(reduce("proc/1/environ", environment), expected);
    }

    #[test]
    fn a_mount_keeps_what_it_is_but_not_whose() {
        let line = "36 27 0:43 /export/alice /home/alice rw,relatime shared:9 - nfs4 nas01.corp:/export rw,addr=10.0.0.9\n";
        let masked = reduce("proc/self/mountinfo", line);
        assert!(
            masked.starts_with("36 27 0:43 /") && masked.ends_with(" rw\n") && masked.contains(" - nfs4 "),
            "{masked}"
        );
        for secret in ["alice", "nas01", "corp", "10.0.0.9"] {
            assert!(!masked.contains(secret), "{masked}");
        }
    }

    #[test]
    fn an_overlay_keeps_whose_layers_it_has() {
        let upper = "/var/lib/docker/overlay2/8c1f5a0de9b34c7d8c1f5a0de9b34c7d/diff";
        let line = format!("overlay / overlay rw,lowerdir=/srv/alice:/b,upperdir={upper} 0 0\n");
        let masked = reduce("proc/mounts", &line);
        assert!(masked.starts_with("overlay / overlay rw,upperdir=/var/lib/docker/overlay2/"), "{masked}");
        for secret in ["alice", "8c1f5a0d"] {
            assert!(!masked.contains(secret), "{masked}");
        }
    }

    #[test]
    fn an_overlay_keeps_that_it_is_an_image() {
        let options = "ro,lowerdir+=/run/ostree/.private/cfsroot-lower,datadir+=/sysroot/ostree/repo/objects";
        let line = format!("30 1 0:36 / / ro - overlay composefs:b4f6 {options},lowerdir+=/srv/alice\n");
        let masked = reduce("proc/self/mountinfo", &line);
        assert!(
            masked.contains(" overlay composefs:") && masked.ends_with(&format!(" {options}\n")),
            "{masked}"
        );
    }

    #[test]
    fn a_command_line_keeps_its_keys() {
        let line = "root=UUID=5f0c1d6e-8a52-4b0f-9f4e-2d0b9a6c7e11 reboot=k panic=1 luks.key=123 -- --auth hunter2\n";
        let masked = reduce("proc/cmdline", line);
        assert!(masked.contains(" reboot=k panic=1 luks.key="), "{masked}");
        for secret in ["5f0c1d6e", "123", "hunter2"] {
            assert!(!masked.contains(secret), "{masked}");
        }
    }
}
