//! Writes the archive that a kernel unpacks into its first root file system.
//!
//! The `newc` format, as the kernel's documentation describes it in `driver-api/early-userspace/buffer-format.rst`.

use std::io::{self, Write};

/// What an entry is.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// A folder.
    Folder,
    /// A file with these bytes, and whether it may be run.
    File(&'a [u8], bool),
    /// A symbolic link to this path.
    Link(&'a str),
    /// A character device with these numbers.
    Device(u32, u32),
}

/// Writes an archive, entry by entry.
#[derive(Debug)]
pub(crate) struct Archive<W> {
    output: W,
    inode: u32,
    written: usize,
}

impl<W: Write> Archive<W> {
    /// An empty archive.
    pub(crate) fn new(output: W) -> Self {
        Self { output, inode: 0, written: 0 }
    }

    /// Adds an entry; its folder must have been added before.
    ///
    /// # Errors
    ///
    /// When the output fails, or a file is larger than the format's 4 GiB.
    pub(crate) fn add(&mut self, path: &str, content: &Content<'_>) -> io::Result<()> {
        let (mode, bytes, device): (u32, &[u8], (u32, u32)) = match content {
            Content::Folder => (0o040_755, &[], (0, 0)),
            Content::File(bytes, true) => (0o100_755, bytes, (0, 0)),
            Content::File(bytes, false) => (0o100_644, bytes, (0, 0)),
            Content::Link(target) => (0o120_777, target.as_bytes(), (0, 0)),
            Content::Device(major, minor) => (0o020_600, &[], (*major, *minor)),
        };
        self.entry(path, mode, bytes, device)
    }

    /// Writes the end of the archive.
    ///
    /// # Errors
    ///
    /// When the output fails.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[], (0, 0))?;
        Ok(self.output)
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8], (major, minor): (u32, u32)) -> io::Result<()> {
        self.inode += 1;
        let length =
            |len: usize| u32::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
        // Magic, inode, mode, owner, group, links, time, size, device, device of a device file, name, checksum.
        let numbers = [
            self.inode,
            mode,
            0,
            0,
            1,
            0,
            length(bytes.len())?,
            0,
            0,
            major,
            minor,
            length(path.len() + 1)?,
            0,
        ];
        let mut header = String::from("070701");
        for number in numbers {
            header.push_str(&format!("{number:08X}"));
        }
        self.write(header.as_bytes())?;
        self.write(path.as_bytes())?;
        self.write(&[0])?;
        self.align()?;
        self.write(bytes)?;
        self.align()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len();
        self.output.write_all(bytes)
    }

    fn align(&mut self) -> io::Result<()> {
        let missing = self.written.next_multiple_of(4) - self.written;
        self.write(&vec![0; missing])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_the_trailer_ends_it() {
        let mut archive = Archive::new(Vec::new());
        archive.add("a", &Content::Folder).unwrap();
        archive.add("a/b", &Content::File(b"12345", true)).unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("07070100000001000041ED"));
        assert_eq!(text.matches("070701").count(), 3);
        assert!(text.trim_end_matches('\0').ends_with("TRAILER!!!"));
    }
}
