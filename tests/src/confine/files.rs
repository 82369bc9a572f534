//! A program that sees a file system with parts missing, in a mount namespace of its own.

use std::path::Path;
use std::process::Command;

/// `program` after `mounts`, lines of shell, in a mount namespace that nobody else sees.
#[must_use]
pub fn after(mounts: &str, program: &Path) -> Command {
    let mut command = Command::new("unshare");
    // The shell becomes the program: it and what it was called with are as they would be without all this.
    let script = format!("set -e\n{mounts}\nexec \"$0\" \"$@\"");
    command.args(["--mount", "--propagation", "private", "--", "sh", "-c", &script]).arg(program);
    command
}

/// A line that hides everything below a directory.
#[must_use]
pub fn hide(directory: &str) -> String {
    format!("mount -t tmpfs none {directory}")
}
