//! Programs that a test needs and that may not be installed, and what else may not be had.

use std::io::Write as _;
use std::path::PathBuf;

use crate::repository;

/// Which package of Debian has a program, where it is not called as the program is.
const PACKAGES: &[(&str, &str)] = &[
    ("promtool", "prometheus"),
    ("systemd-analyze", "systemd"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
    ("ip", "iproute2"),
    ("iptables-legacy-restore", "iptables"),
    ("iptables-nft-restore", "iptables"),
    ("bwrap", "bubblewrap"),
    ("dockerd", "docker.io"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    // The rest comes from PyPI.
    ("schemathesis", "python3-venv && tests/tools.sh test"),
    ("mke2fs", "e2fsprogs"),
    ("systemd-nspawn", "systemd-container"),
    ("setpriv", "util-linux"),
];

/// Where `program` is. `None` if it is not installed, which is said on standard error; the test then has nothing to
/// do.
///
/// # Panics
///
/// If it is not installed and `CI=true` or `TIERPROBE_E2E=required`: there, a skipped test is a failed one.
#[must_use]
pub fn need(program: &str) -> Option<PathBuf> {
    let found = find(program);
    if found.is_none() {
        let package =
            PACKAGES.iter().find(|(name, _)| *name == program).map_or(program, |(_, package)| package);
        return refuse(&format!("{program} is not installed; apt-get install {package}"));
    }
    found
}

/// Says on standard error that a test was skipped, and `why`.
///
/// # Panics
///
/// As [`need`].
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn refuse<T>(why: &str) -> Option<T> {
    let thread = std::thread::current();
    let message = format!("SKIPPED {}: {why}", thread.name().unwrap_or("a test"));
    let is = |variable: &str, value: &str| std::env::var_os(variable).is_some_and(|set| set == value);
    if is("CI", "true") || is("TIERPROBE_E2E", "required") {
        panic!("{message}");
    }
    // Not eprintln!: of a test that passes, the harness would swallow it.
    let _nobody_listens = writeln!(std::io::stderr(), "{message}");
    None
}

/// What a test needs beside programs, such as a control group of its own: `None`, and said on standard error, if it is
/// not to be had.
///
/// # Panics
///
/// As [`need`].
#[must_use]
pub fn have<T, E: std::fmt::Display>(what: &str, got: Result<T, E>) -> Option<T> {
    got.map_or_else(|error| refuse(&format!("{what}: {error}")), Some)
}

/// The first file of that name in `PATH`, in the system's folders, or where `tools.sh` unpacks what it does not install.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = repository("out").join(program).join("usr/bin");
    // A user's `PATH` may lack where the system's programs are.
    let of_system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).chain(of_system).chain([unpacked]);
    folders.find_map(|folder| Some(folder.join(program)).filter(|file| file.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_the_shell_finds_it() {
        assert!(find("sh").is_some_and(|sh| sh.is_absolute()));
        assert_eq!(find("no-such-program-as-this"), None);
    }
}
