//! Turns what `dmidecode` printed into the files by which a kernel shows it, for `tierprobe-agent --path.rootfs`.
//!
//!     dmi_tree FOLDER [FILE]
//!
//! Without a file it reads standard input.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use tierprobe_tests::dmidecode;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, file) = match arguments.as_slice() {
        [folder] => (folder, None),
        [folder, file] => (folder, Some(file)),
        _ => bail!("usage: dmi_tree FOLDER [FILE]"),
    };
    let text = match file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
            text
        }
    };
    let name = file.map_or("standard input", String::as_str);
    dmidecode::write(&text, Path::new(folder)).with_context(|| name.to_owned())
}
