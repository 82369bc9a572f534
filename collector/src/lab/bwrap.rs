//! The agent under bubblewrap, the sandbox of Flatpak. See bwrap(1).
//!
//! As root it gets a network of its own. Other users share the host's: nobody but root may enter a network
//! namespace that belongs to another user namespace, and the lab has to enter it to ask the agent.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::command;
use super::fetch::{self, Address};
use super::instance::Instance;
use super::launcher::{INSIDE_PORT, Launcher, Machine, Plan, Ready, Reason, Starter};
use super::session::{Session, last_words};
use super::undo::Undo;

/// How long bwrap may take to tell its child's pid.
const PID_LIMIT: Duration = Duration::from_secs(5);

/// What a sandboxed program usually sees of `/sys`, as Flatpak shows it.
const SYS_FOLDERS: [&str; 5] = ["/sys/block", "/sys/bus", "/sys/class", "/sys/dev", "/sys/devices"];

/// See the module.
#[derive(Debug)]
pub(crate) struct Bwrap;

struct Sandbox<'a> {
    session: &'a Session,
    folder: PathBuf,
    program: PathBuf,
    agent: PathBuf,
    has_own_network: bool,
}

impl Launcher for Bwrap {
    fn name(&self) -> &'static str {
        "bwrap"
    }

    fn describe(&self) -> &'static str {
        "bubblewrap: own pid, ipc, uts, mount, cgroup and (as root) network namespaces with a loopback interface, \
         no seccomp filter, no control group of its own"
    }

    fn check(&self, machine: &Machine) -> Result<Ready, Reason> {
        let program = command::find("bwrap").ok_or_else(|| Reason::missing("bwrap", "bubblewrap"))?;
        if !machine.is_root && has_no_user_namespaces() {
            return Err(Reason::new(
                "this kernel lets only root make user namespaces",
                "run the lab with sudo, or allow them (sysctl user.max_user_namespaces, \
                 kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
            ));
        }
        Ok(Ready::with(program.display().to_string()))
    }

    fn prepare<'a>(&self, session: &'a Session, machine: &Machine) -> anyhow::Result<Box<dyn Starter + 'a>> {
        let folder = session.folder_for(self.name())?;
        let agent = folder.join("tierprobe-agent");
        session.copy_agent(&agent)?;
        fs::create_dir_all(folder.join("tmp"))?;
        let program = command::find("bwrap").context("no bwrap")?;
        Ok(Box::new(Sandbox { session, folder, program, agent, has_own_network: machine.is_root }))
    }
}

fn has_no_user_namespaces() -> bool {
    let is = |file: &str, value: &str| fs::read_to_string(file).is_ok_and(|text| text.trim() == value);
    is("/proc/sys/user/max_user_namespaces", "0")
        || is("/proc/sys/kernel/unprivileged_userns_clone", "0")
        || is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")
}

impl Sandbox<'_> {
    fn arguments(&self) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut arguments: Vec<String> = [
            // Without it, bwrap's death would leave the agent running.
            "--die-with-parent",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]
        .map(str::to_owned)
        .to_vec();
        if self.has_own_network {
            arguments.push("--unshare-net".into());
        }
        for pair in [["--proc", "/proc"], ["--dev", "/dev"], ["--info-fd", "1"]] {
            arguments.extend(pair.map(str::to_owned));
        }
        arguments.extend(["--ro-bind".into(), path(&self.agent), "/agent".into()]);
        arguments.extend(["--bind".into(), path(&self.folder.join("tmp")), "/tmp".into()]);
        for folder in SYS_FOLDERS {
            arguments.extend(["--ro-bind-try".into(), folder.into(), folder.into()]);
        }
        arguments.push("/agent".into());
        arguments
    }
}

impl Starter for Sandbox<'_> {
    fn start(&mut self, plan: &Plan) -> anyhow::Result<Instance> {
        let port = if self.has_own_network { INSIDE_PORT } else { fetch::free_port()? };
        let socket = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = self.folder.join(format!("{}.log", plan.name));
        let mut command = self.session.command(&self.program, &log)?;
        command.args(self.arguments()).args(plan.agent_arguments(&socket.to_string())).stdout(Stdio::piped());
        let spawned = Instant::now();
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id())?;
        // Only SIGKILL: bwrap does not hand SIGTERM on, and its death ends the sandbox.
        if let Some(undo) = Undo::process(pid, Duration::ZERO) {
            self.session.cleanup.push(undo);
        }
        let info = child.stdout.take().context("no output of bwrap")?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(info).lines().map_while(Result::ok);
            for inside in lines.filter_map(|line| child_pid(&line)) {
                let _ = sender.send(inside);
            }
        });
        let inside = receiver
            .recv_timeout(PID_LIMIT)
            .with_context(|| format!("bwrap did not start the sandbox: {}", last_words(&log)))?;
        let address =
            if self.has_own_network { Address::inside(inside, socket)? } else { Address::host(socket) };
        Ok(Instance {
            address,
            spawned,
            roots: vec![pid],
            accel: None,
            retries: 0,
            command: None,
            log,
            clock: None,
        })
    }
}

/// The pid in what `--info-fd` gives: `    "child-pid": 4711`.
fn child_pid(line: &str) -> Option<i32> {
    let (_, value) = line.split_once("\"child-pid\":")?;
    let digits: String = value.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_found_whatever_stands_beside_it() {
        assert_eq!(child_pid("    \"child-pid\": 4711"), Some(4711));
        assert_eq!(child_pid("{\"child-pid\": 4711, }"), Some(4711));
        assert_eq!(child_pid("{"), None);
    }
}
