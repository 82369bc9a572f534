//! A host as a bundle: what detection read of it, without what is nobody's business, in the format of the host fixtures.
//!
//! The verdict over a bundle is the host's own, which is tried before the bundle is given away.

mod archive;
mod content;
mod document;
mod mask;
mod scan;
mod tree;
mod word;

use std::path::Path;

use anyhow::ensure;
use tierprobe_model::Detection;

use crate::detect::detect;
use crate::export::tier_labels;
use crate::host::Found;
use crate::hostinfo::HostInfo;
use crate::machine::Machine;
use mask::Masker;

pub use archive::create;
pub use tree::{Node, Tree};

/// What a bundle holds.
#[derive(Debug)]
pub struct Bundle {
    /// Its files, `root/` among them.
    pub tree: Tree,
    /// The verdict about the host.
    pub detection: Detection,
}

/// Detects, and keeps what was read. `arch` is the architecture as `uname -m` gives it.
#[must_use]
pub fn make(machine: &Machine, arch: &str) -> Bundle {
    let (fs, trace) = machine.fs.traced();
    let detection = detect(&Machine { fs, cpuid: machine.cpuid.clone(), arch: machine.arch });
    let host = HostInfo::read(&machine.fs);
    let name = |path: &str| machine.fs.text(path).unwrap_or_default().trim().to_owned();
    let names = [host.name.clone(), name("/etc/hostname"), name("/proc/sys/kernel/hostname")];
    let mut masker = Masker::new(&names);

    let mut reads = trace.reads();
    if !machine.fs.is_live() {
        // The architecture of a tree follows from it.
        let cpuinfo = machine.fs.bytes("/proc/cpuinfo").ok();
        reads.extend(cpuinfo.map(|content| ("/proc/cpuinfo".to_owned(), Found::File(content))));
    }
    let unreadable = document::unreadable(&reads);
    let mut tree = Tree::new();
    tree.insert("root".to_owned(), Node::Directory);
    for (path, node) in tree::build(reads) {
        let speaks =
            detection.evidence.iter().any(|evidence| evidence.source.strip_prefix('/') == Some(&path));
        let node = match node {
            Node::File(content) => Node::File(content::reduced(&path, &content, speaks, &mut masker)),
            Node::Link(target) => Node::Link(masker.text(&target)),
            Node::Directory => Node::Directory,
        };
        // Names in directories may be secrets too.
        tree.insert(format!("root/{}", masker.text(&path)), node);
    }
    let expected = document::expected(&detection, arch, &mut masker);
    let mut add = |name: &str, text: String| tree.insert(name.to_owned(), Node::File(text.into_bytes()));
    if let Some(cpuid) = &machine.cpuid {
        add("cpuid.toml", document::cpuid(cpuid));
    }
    add("expected.toml", expected);
    add("SOURCE.md", document::source(&detection, &host.release, arch));
    add("unreadable.txt", unreadable);
    Bundle { tree, detection }
}

impl Bundle {
    /// The bundle as an uncompressed tar archive.
    ///
    /// # Errors
    ///
    /// For paths that the format cannot hold.
    pub fn archive(&self) -> anyhow::Result<Vec<u8>> {
        archive::write(&self.tree)
    }

    /// Unpacks the bundle into `folder`, which is empty, and looks whether the verdict is the same there.
    ///
    /// # Errors
    ///
    /// What differs, or why it could not be tried.
    pub fn verify(&self, folder: &Path, arch: &str) -> anyhow::Result<()> {
        archive::unpack(&self.tree, folder)?;
        let cpuid = self.tree.contains_key("cpuid.toml").then(|| folder.join("cpuid.toml"));
        let machine = Machine::fixture(&folder.join("root"), cpuid.as_deref(), Some(arch))?;
        let found = detect(&machine);
        let (here, there) = (tier_labels(&self.detection), tier_labels(&found));
        ensure!(here == there, "the masked files give another verdict: {there:?} instead of {here:?}");
        Ok(())
    }
}
