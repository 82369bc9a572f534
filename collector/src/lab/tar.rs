//! Writes an archive that `docker import` makes an image of: the ustar format of POSIX.1-1988, pax(1).

use std::io::{self, Write};

const BLOCK: usize = 512;

/// One entry of the archive: a folder when it has no content.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// Its path, relative, at most 100 bytes.
    pub(crate) path: &'a str,
    /// Its permissions.
    pub(crate) mode: u32,
    /// A file's content.
    pub(crate) content: Option<&'a [u8]>,
}

/// Writes the entries, all owned by root, and the end of the archive.
///
/// # Errors
///
/// When `output` fails.
pub(crate) fn write(output: &mut impl Write, entries: &[Entry<'_>]) -> io::Result<()> {
    for entry in entries {
        let content = entry.content.unwrap_or_default();
        output.write_all(&header(entry, content.len()))?;
        output.write_all(content)?;
        let rest = content.len() % BLOCK;
        if rest > 0 {
            output.write_all(&vec![0; BLOCK - rest])?;
        }
    }
    output.write_all(&[0; 2 * BLOCK])
}

fn header(entry: &Entry<'_>, size: usize) -> Vec<u8> {
    let kind = if entry.content.is_some() { '0' } else { '5' };
    // Name, mode, owner, group, size, time, then the checksum counted as eight spaces, the kind, the linked name.
    let fields = |checksum: &str| {
        let mut block = Vec::with_capacity(BLOCK);
        for (text, width) in [
            (entry.path.to_owned(), 100),
            (format!("{:07o}", entry.mode), 8),
            (format!("{:07o}", 0), 8),
            (format!("{:07o}", 0), 8),
            (format!("{size:011o}"), 12),
            (format!("{:011o}", 0), 12),
            (checksum.to_owned(), 8),
            (kind.to_string(), 1),
            (String::new(), 100),
            ("ustar\x0000".to_owned(), 8),
        ] {
            let end = block.len() + width;
            block.extend(text.bytes().take(width));
            block.resize(end, 0);
        }
        block.resize(BLOCK, 0);
        block
    };
    let sum: u32 = fields("        ").iter().copied().map(u32::from).sum();
    fields(&format!("{sum:06o}\0 "))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn tar_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tar");
        let mut bytes = Vec::new();
        let entries = [
            Entry { path: "tmp/", mode: 0o1777, content: None },
            Entry { path: "agent", mode: 0o755, content: Some(b"hello") },
        ];
        write(&mut bytes, &entries).unwrap();
        assert_eq!(bytes.len() % BLOCK, 0);
        std::fs::write(&archive, bytes).unwrap();
        let listed = Command::new("tar").arg("tvf").arg(&archive).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("drwxrwxrwt") && listed.contains("-rwxr-xr-x"), "{listed}");
    }
}
