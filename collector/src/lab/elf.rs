//! Tells whether a program runs without libraries: see elf(5).
//!
//! The agent has to run in places that have no libraries, or others. A program that the dynamic loader would have
//! to prepare names it in a program header of type `PT_INTERP`; a static one has none.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// What is read of the file, in bytes: linkers place the headers at its begin.
const HEAD_BYTES: u64 = 64 << 10;

const PT_INTERP: u32 = 3;

/// How to build an agent that the lab can use.
const BUILD: &str = "RUSTFLAGS=\"-C target-feature=+crt-static\" cargo build --release --target \
                     x86_64-unknown-linux-gnu -p tierprobe-agent";

/// Where that puts it.
const BUILT: &str = "target/x86_64-unknown-linux-gnu/release/tierprobe-agent";

/// The agent's program: the named one, or the one beside this program, or the one that cargo built.
///
/// # Errors
///
/// When there is none, or it needs libraries, with the command that builds one.
pub(crate) fn find_agent(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("tierprobe-agent"));
    let candidates: Vec<PathBuf> = match named {
        Some(path) => vec![path.to_owned()],
        None => beside.into_iter().chain([PathBuf::from(BUILT)]).collect(),
    };
    let mut dynamic = None;
    for path in candidates.iter().filter(|path| path.is_file()) {
        let is_static = is_static(path).with_context(|| format!("cannot use {}", path.display()))?;
        if is_static {
            return path.canonicalize().with_context(|| format!("cannot use {}", path.display()));
        }
        dynamic = Some(path);
    }
    if let Some(path) = dynamic {
        bail!(
            "{} needs libraries, which most tiers do not have; build a static one: {BUILD}",
            path.display()
        );
    }
    let looked: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    bail!("no agent at {}; name one with --agent, or build it: {BUILD}", looked.join(" or "))
}

/// Whether the program runs without a dynamic loader.
///
/// # Errors
///
/// When it cannot be read, or is no 64-bit ELF program of this machine's byte order.
pub(crate) fn is_static(program: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(program)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    has_no_interpreter(&head).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it is no 64-bit ELF program of this machine")
    })
}

fn has_no_interpreter(head: &[u8]) -> Option<bool> {
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    // ELF, 64 bits, little-endian.
    if head.get(..6)? != b"\x7fELF\x02\x01" || number::<2>(head, 18)? != machine {
        return None;
    }
    let offset = usize::try_from(number::<8>(head, 32)?).ok()?;
    let size = usize::try_from(number::<2>(head, 54)?).ok()?;
    let count = usize::try_from(number::<2>(head, 56)?).ok()?;
    for index in 0..count {
        let kind = number::<4>(head, offset.checked_add(index.checked_mul(size)?)?)?;
        if kind == u64::from(PT_INTERP) {
            return Some(false);
        }
    }
    Some(true)
}

fn number<const BYTES: usize>(head: &[u8], at: usize) -> Option<u64> {
    let bytes = head.get(at..at.checked_add(BYTES)?)?;
    Some(bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_program_needs_a_loader_and_a_text_is_no_program() {
        assert!(!is_static(Path::new("/bin/sh")).unwrap());
        assert!(is_static(Path::new("/etc/passwd")).is_err());
        assert_eq!(has_no_interpreter(b"\x7fELF"), None);
    }

    #[test]
    fn the_message_says_how_to_build_one() {
        let message = find_agent(Some(Path::new("/bin/sh"))).unwrap_err().to_string();
        assert!(message.contains("crt-static"), "{message}");
    }
}
