//! The agent in a container of runc alone: namespaces and control groups without a daemon. See runc-run(8).
//!
//! Detached, so that no parent remains: in the foreground runc's own nine megabytes would be measured instead of
//! the container's cost.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::command;
use super::fetch::Address;
use super::instance::Instance;
use super::launcher::{INSIDE_PORT, Launcher, Machine, Plan, Ready, Reason, Starter};
use super::oci;
use super::session::{Session, last_words};
use super::stop::Stop;
use super::undo::Undo;

/// How long runc may take to start the container.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How often the file with the pid is looked for.
const LOOK_EVERY: Duration = Duration::from_micros(300);

/// See the module.
#[derive(Debug)]
pub(crate) struct Runc;

struct Container<'a> {
    session: &'a Session,
    folder: PathBuf,
    program: PathBuf,
}

impl Launcher for Runc {
    fn name(&self) -> &'static str {
        "runc"
    }

    fn describe(&self) -> &'static str {
        "runc, detached: own pid, ipc, uts, mount, cgroup and network namespaces with a loopback interface, own \
         control group, no seccomp filter"
    }

    fn check(&self, machine: &Machine) -> Result<Ready, Reason> {
        let program = command::find("runc").ok_or_else(|| Reason::missing("runc", "runc"))?;
        if !machine.is_root {
            return Err(Reason::not_root());
        }
        Ok(Ready::with(program.display().to_string()))
    }

    fn prepare<'a>(&self, session: &'a Session, _machine: &Machine) -> anyhow::Result<Box<dyn Starter + 'a>> {
        let folder = session.folder_for(self.name())?;
        for name in ["rootfs/proc", "rootfs/dev", "rootfs/sys", "rootfs/tmp", "bundles"] {
            fs::create_dir_all(folder.join(name))?;
        }
        session.copy_agent(&folder.join("rootfs/agent"))?;
        Ok(Box::new(Container { session, folder, program: command::find("runc").context("no runc")? }))
    }
}

impl Container<'_> {
    fn command_line(&self, rest: &[&str]) -> Vec<String> {
        // A state folder of our own: nothing of ours shows up beside the machine's other containers.
        let state = self.folder.join("state").to_string_lossy().into_owned();
        let mut arguments = vec!["--root".to_owned(), state];
        arguments.extend(rest.iter().copied().map(str::to_owned));
        arguments
    }
}

impl Starter for Container<'_> {
    fn start(&mut self, plan: &Plan) -> anyhow::Result<Instance> {
        let socket = SocketAddr::from((Ipv4Addr::LOCALHOST, INSIDE_PORT));
        let bundle = self.folder.join("bundles").join(&plan.name);
        fs::create_dir_all(&bundle)?;
        let group = format!("/{}/{}", self.session.name, plan.name);
        let mut config = oci::config(&plan.agent_arguments(&socket.to_string()), &group, &self.session.name);
        if let Some(root) = config.get_mut("root").and_then(|root| root.get_mut("path")) {
            *root = self.folder.join("rootfs").to_string_lossy().into_owned().into();
        }
        fs::write(bundle.join("config.json"), config.to_string())?;

        let log = bundle.join("log");
        let pid_file = bundle.join("pid");
        let mut command = self.session.command(&self.program, &log)?;
        command
            .args(self.command_line(&["run", "--detach", "--bundle"]))
            .arg(&bundle)
            .arg("--pid-file")
            .arg(&pid_file)
            .arg(&plan.name);
        self.session.cleanup.push(Undo::Command {
            program: self.program.clone(),
            arguments: self.command_line(&["delete", "--force", &plan.name]),
        });
        let spawned = Instant::now();
        let mut child = command.spawn()?;
        if let Some(undo) = Undo::process(i32::try_from(child.id())?, Duration::ZERO) {
            self.session.cleanup.push(undo);
        }
        let pid = wait_for_pid(&pid_file, &mut child, &log, &self.session.stop)?;
        Ok(Instance {
            address: Address::inside(pid, socket)?,
            spawned,
            roots: vec![pid],
            accel: None,
            retries: 0,
            command: Some(child),
            log,
            clock: None,
        })
    }
}

fn wait_for_pid(file: &Path, child: &mut Child, log: &Path, stop: &Stop) -> anyhow::Result<i32> {
    let end = Instant::now() + START_LIMIT;
    loop {
        if let Some(pid) = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
            return Ok(pid);
        }
        if let Some(status) = child.try_wait()?.filter(|status| !status.success()) {
            bail!("runc failed ({status}): {}", last_words(log));
        }
        if Instant::now() > end {
            bail!("runc did not start the container within {} s: {}", START_LIMIT.as_secs(), last_words(log));
        }
        stop.check()?;
        std::thread::sleep(LOOK_EVERY);
    }
}
