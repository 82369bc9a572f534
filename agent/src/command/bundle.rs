//! `bundle`: this host as a fixture for the tests, to be sent to those who can make use of it.

use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};

use crate::bundle::{self, Bundle, Node};
use crate::cli::BundleArgs;
use crate::machine::Arch;

pub(super) fn run(args: &BundleArgs) -> anyhow::Result<ExitCode> {
    let file = &args.file;
    ensure_writable(file, args.force)?;
    let machine = args.machine.machine()?;
    let arch = match (&args.machine.arch, machine.arch) {
        (Some(arch), _) => arch,
        (None, _) if machine.fs.is_live() => std::env::consts::ARCH,
        (None, Arch::X86) => "x86_64",
        (None, Arch::Other) => "aarch64",
        (None, Arch::Unknown) => "",
    };
    let bundle = bundle::make(&machine, arch);
    verify(&bundle, file, arch)?;
    write(file, &bundle.archive()?, args.force)?;
    super::print(summary(&bundle, file).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Says what is wrong before anything is read.
fn ensure_writable(file: &Path, force: bool) -> anyhow::Result<()> {
    ensure!(file.file_name().is_some(), "{}: no name of a file", file.display());
    match file.symlink_metadata() {
        Ok(there) if !there.is_file() => bail!("{}: exists and is no file", file.display()),
        Ok(_) if !force => bail!("{}: exists; --force overwrites it", file.display()),
        _ => Ok(()),
    }
}

/// A name beside the file that nothing else has.
fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(format!(".{}.{what}", std::process::id()));
    file.with_file_name(name)
}

/// Tries the bundle in a folder beside the file, and removes it.
fn verify(bundle: &Bundle, file: &Path, arch: &str) -> anyhow::Result<()> {
    let folder = beside(file, "try");
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot write beside {}", file.display()))?;
    let verified = bundle.verify(&folder, arch);
    let removed = std::fs::remove_dir_all(&folder);
    verified.context("no bundle was written; please report this")?;
    removed.with_context(|| format!("cannot remove {}", folder.display()))
}

/// Writes whole or not at all, readable for the owner alone.
fn write(file: &Path, archive: &[u8], force: bool) -> anyhow::Result<()> {
    let new = if force { beside(file, "new") } else { file.to_owned() };
    let cannot = || format!("cannot write {}", file.display());
    let mut out = bundle::create(&new).with_context(cannot)?;
    let written =
        out.write_all(archive).and_then(|()| if force { std::fs::rename(&new, file) } else { Ok(()) });
    if written.is_err() {
        let _the_first_error_counts = std::fs::remove_file(&new);
    }
    written.with_context(cannot)
}

/// What went in, and what to do with it.
fn summary(bundle: &Bundle, file: &Path) -> String {
    let mut text = format!("{}: {}\n", file.display(), bundle.detection.tier);
    for (path, node) in &bundle.tree {
        let _infallible = match node {
            Node::File(content) => writeln!(text, "  {path}  {} bytes", content.len()),
            Node::Link(target) => writeln!(text, "  {path} -> {target}"),
            Node::Directory => Ok(()),
        };
    }
    let _infallible = writeln!(
        text,
        "Ids, addresses, names and whatever is not known for public are masked, but look at it before you pass it on:\n  \
         tar xOf {0} | less    tar tvf {0}",
        file.display()
    );
    text
}
