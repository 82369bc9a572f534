//! The binaries as they are shipped: static, built for release.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::repository;

/// The agent: what `TIERPROBE_AGENT` names, or else built here, once.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn agent() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| named_or_built("TIERPROBE_AGENT", "tierprobe-agent"))
}

/// The collector: what `TIERPROBE_COLLECTOR` names, or else built here, once.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn collector() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| named_or_built("TIERPROBE_COLLECTOR", "tierprobe-collector"))
}

/// Copies a program that is then to be run. Not by this process: whatever another test starts meanwhile would have the
/// copy open for writing until it runs something else, and a file that is being written cannot be run.
///
/// # Panics
///
/// If it cannot be copied.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn copy(program: &Path, to: &Path) {
    let copied = Command::new("cp").arg(program).arg(to).status().unwrap();
    assert!(copied.success(), "cp {} {}: {copied}", program.display(), to.display());
}

fn named_or_built(variable: &str, package: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| build(package), PathBuf::from)
}

/// Builds as the Makefile does, into the target directory that cargo would take.
#[expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
fn build(package: &str) -> PathBuf {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--release", "--package", package, "--target", &target])
        .args(["--message-format", "json-render-diagnostics"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(repository(""))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{package} cannot be built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable.unwrap_or_else(|| panic!("cargo built no executable:\n{messages}"))
}
