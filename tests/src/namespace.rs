//! Network namespaces that a test makes itself.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nix::sched::{CloneFlags, setns};

use crate::need::need;

/// A network namespace of its own; it goes with the value, and everything in it does.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, with `lo` up. `None` where `ip` or the permission is missing, which is said on standard error.
    ///
    /// # Panics
    ///
    /// As [`need`].
    #[must_use]
    pub fn new() -> Option<Self> {
        let namespace = Self::without_loopback()?;
        namespace.ip(&["link", "set", "lo", "up"]);
        Some(namespace)
    }

    /// Makes one as the kernel does: with all interfaces down.
    ///
    /// # Panics
    ///
    /// As [`need`].
    #[must_use]
    pub fn without_loopback() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        need("ip")?;
        let name = format!("tierprobe-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        if !nix::unistd::geteuid().is_root() {
            return crate::need::refuse("network namespaces need root");
        }
        ip(&["netns", "add", &name]);
        Some(Self { name })
    }

    /// Its name, as `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` in it.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn ip(&self, arguments: &[&str]) {
        ip(&[&["-n", self.name.as_str()], arguments].concat());
    }

    /// Runs `ip` in it: not every kernel has every kind of link.
    ///
    /// # Errors
    ///
    /// What it said.
    pub fn try_ip(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new("ip");
        let output = command.args(["-n", &self.name]).args(arguments).output();
        let output = output.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// A command that runs in it, with a `/sys` that shows its devices.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Calls `task` on a thread that is in it; programs that it starts are in it, too.
    ///
    /// # Panics
    ///
    /// If `task` does, or the namespace cannot be entered.
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn enter<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
                task()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Joins two by a pair of virtual devices called `veth0`, with the addresses 10.99.0.1 and .2, fd99::1 and ::2.
    ///
    /// # Panics
    ///
    /// If `ip` fails.
    pub fn join(&self, other: &Self) {
        ip(&[
            "link",
            "add",
            "veth0",
            "netns",
            &self.name,
            "type",
            "veth",
            "peer",
            "name",
            "veth0",
            "netns",
            &other.name,
        ]);
        for (namespace, number) in [(self, 1), (other, 2)] {
            namespace.ip(&["addr", "add", &format!("10.99.0.{number}/24"), "dev", "veth0"]);
            namespace.ip(&["addr", "add", &format!("fd99::{number}/64"), "dev", "veth0", "nodad"]);
            namespace.ip(&["link", "set", "veth0", "up"]);
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _is_gone_already = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}", arguments.join(" "));
}
