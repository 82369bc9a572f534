//! A tree as a tar archive, and as files.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::Path;

use anyhow::Context as _;
use tar::{Builder, EntryType, Header};

use super::tree::{Node, Tree};

/// Whoever made the bundle may read it, and nobody else before it was looked at.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// The archive. Of the same tree it is the same to the byte.
pub(super) fn write(tree: &Tree) -> anyhow::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for (path, node) in tree {
        let mut header = Header::new_ustar();
        header.set_mode(if *node == Node::Directory { FOLDER_MODE } else { FILE_MODE });
        header.set_size(0);
        let written = match node {
            Node::File(content) => {
                header.set_size(u64::try_from(content.len())?);
                builder.append_data(&mut header, path, content.as_slice())
            }
            Node::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                builder.append_link(&mut header, path, target)
            }
            Node::Directory => {
                header.set_entry_type(EntryType::Directory);
                builder.append_data(&mut header, format!("{path}/"), std::io::empty())
            }
        };
        written.with_context(|| format!("{path} does not fit into a tar archive"))?;
    }
    Ok(builder.into_inner()?)
}

/// Writes the tree below `folder`.
pub(super) fn unpack(tree: &Tree, folder: &Path) -> anyhow::Result<()> {
    for (path, node) in tree {
        let to = folder.join(path);
        let written = match node {
            Node::File(content) => create(&to).and_then(|mut file| file.write_all(content)),
            Node::Link(target) => symlink(target, &to),
            Node::Directory => DirBuilder::new().mode(FOLDER_MODE).create(&to),
        };
        written.with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// A new file that only its owner may read; never one that is there, nor one behind a link.
pub fn create(path: &Path) -> std::io::Result<std::fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}
