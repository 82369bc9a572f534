//! The agent as a plain process of the host: the baseline of every other tier.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::fetch::{self, Address};
use super::instance::Instance;
use super::launcher::{Launcher, Machine, Plan, Ready, Reason, Starter};
use super::session::Session;
use super::undo::Undo;

/// See the module.
#[derive(Debug)]
pub(crate) struct Process;

struct Program<'a> {
    session: &'a Session,
    folder: PathBuf,
    agent: PathBuf,
}

impl Launcher for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn describe(&self) -> &'static str {
        "the agent as a process of this machine, in its network, without a control group of its own"
    }

    fn check(&self, _machine: &Machine) -> Result<Ready, Reason> {
        Ok(Ready::with("fork and exec"))
    }

    fn prepare<'a>(&self, session: &'a Session, _machine: &Machine) -> anyhow::Result<Box<dyn Starter + 'a>> {
        let folder = session.folder_for(self.name())?;
        let agent = folder.join("tierprobe-agent");
        session.copy_agent(&agent)?;
        Ok(Box::new(Program { session, folder, agent }))
    }
}

impl Starter for Program<'_> {
    fn start(&mut self, plan: &Plan) -> anyhow::Result<Instance> {
        let socket = SocketAddr::from((Ipv4Addr::LOCALHOST, fetch::free_port()?));
        let log = self.folder.join(format!("{}.log", plan.name));
        let mut command = self.session.command(&self.agent, &log)?;
        command.args(plan.agent_arguments(&socket.to_string()));
        let spawned = Instant::now();
        let pid = i32::try_from(command.spawn()?.id())?;
        if let Some(undo) = Undo::process(pid, Duration::from_secs(2)) {
            self.session.cleanup.push(undo);
        }
        Ok(Instance {
            address: Address::host(socket),
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
