//! The guest's kernel: finds it, and the modules that its network card needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::command;
use super::launcher::Reason;

/// The package that brings a kernel made for guests.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// What a virtio network card on PCI needs, each after what it depends on.
const MODULES: [&str; 8] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
];

/// How long unpacking one module may take.
const UNPACK_LIMIT: Duration = Duration::from_secs(10);

/// A kernel that a guest can boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// The compressed image.
    pub(crate) image: PathBuf,
    /// Its release, as the image's name says it.
    pub(crate) release: String,
    /// `/lib/modules/RELEASE`, wherever that is.
    modules: PathBuf,
}

/// The newest guest kernel below `named`, or of this machine.
///
/// `named` is an image (with `../lib/modules/RELEASE` beside its folder), or a folder that the package was
/// unpacked into.
///
/// # Errors
///
/// When there is none, with the package that has one.
pub(crate) fn find(named: Option<&Path>) -> Result<Kernel, Reason> {
    let (images, root) = match named {
        Some(image) if image.is_file() => {
            let root = image.parent().and_then(Path::parent).unwrap_or_else(|| Path::new("/"));
            (vec![image.to_owned()], root.to_owned())
        }
        Some(folder) => (images_in(&folder.join("boot")), folder.to_owned()),
        None => (images_in(Path::new("/boot")), PathBuf::from("/")),
    };
    let kernels = images.into_iter().filter_map(|image| {
        let release = image.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned();
        let folders = ["lib/modules", "usr/lib/modules"].map(|folder| root.join(folder).join(&release));
        let modules = folders.into_iter().find(|folder| folder.is_dir())?;
        Some(Kernel { image, release, modules })
    });
    kernels.max_by(|a, b| a.release.cmp(&b.release)).ok_or_else(|| {
        Reason::new(
            "no guest kernel (/boot/vmlinuz-*-cloud-amd64 with its modules)",
            format!("install the package {PACKAGE}, or unpack it into a folder and name that with --kernel"),
        )
    })
}

fn images_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_image = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Kernels of other flavours boot, too, but late: they expect real hardware, and an initrd of their own.
        name.starts_with("vmlinuz-") && name.contains("cloud")
    };
    entries.flatten().map(|entry| entry.path()).filter(is_image).collect()
}

impl Kernel {
    /// The network card's modules, each after what it depends on: name and content.
    ///
    /// What is built into the kernel is no module, and is left out. Compressed ones are unpacked in `scratch`.
    ///
    /// # Errors
    ///
    /// When a module cannot be read or unpacked.
    pub(crate) fn modules(&self, scratch: &Path) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
        let files = files_below(&self.modules.join("kernel"));
        let mut modules = Vec::new();
        for name in MODULES {
            let plain = format!("{name}.ko");
            let is_it = |file: &&PathBuf| {
                file.file_name().and_then(|file| file.to_str()).is_some_and(|file| file.starts_with(&plain))
            };
            // Not every release has each as a module; what is missing for good shows at boot.
            if let Some(file) = files.iter().find(is_it) {
                modules.push((name, read_module(file, scratch)?));
            }
        }
        Ok(modules)
    }
}

fn read_module(file: &Path, scratch: &Path) -> anyhow::Result<Vec<u8>> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(file).with_context(|| format!("cannot read {}", file.display())),
    };
    // The guest's tools know no compressed modules.
    let unpacked = scratch.join("module.ko");
    let unpack = format!("{program} --decompress --stdout \"$1\" > \"$2\"");
    let mut command = Command::new("sh");
    command.args(["-c", &unpack, "sh"]).arg(file).arg(&unpacked);
    let result = command::run(&mut command, UNPACK_LIMIT, None).and_then(|_| Ok(fs::read(&unpacked)?));
    result.with_context(|| format!("cannot unpack {}", file.display()))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_counts_only_with_its_modules() {
        let folder = tempfile::tempdir().unwrap();
        let make = |path: &str| fs::create_dir_all(folder.path().join(path)).unwrap();
        make("boot");
        fs::write(folder.path().join("boot/vmlinuz-6.2-cloud-amd64"), "").unwrap();
        assert!(find(Some(folder.path())).unwrap_err().remedy.contains(PACKAGE));
        make("lib/modules/6.2-cloud-amd64/kernel/net");
        fs::write(folder.path().join("lib/modules/6.2-cloud-amd64/kernel/net/virtio_net.ko"), "m").unwrap();
        let kernel = find(Some(folder.path())).unwrap();
        assert_eq!(kernel.release, "6.2-cloud-amd64");
        assert_eq!(kernel.modules(folder.path()).unwrap(), [("virtio_net", b"m".to_vec())]);
    }
}
