//! The agent in a Docker container. See docker-run(1).
//!
//! With `--network none`: a bridge would bring its own start-up work (interfaces, firewall rules, a proxy process)
//! and an artefact of measuring it: a connection attempted before the bridge knows the container costs one second
//! of waiting for ARP. The lab asks through the container's own namespace instead.

use std::fs::File;
use std::io::BufWriter;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::command;
use super::docker_daemon::Daemon;
use super::fetch::Address;
use super::instance::Instance;
use super::launcher::{INSIDE_PORT, Launcher, Machine, Plan, Ready, Reason, SharedCost, Starter};
use super::process_table::{self, MARKER};
use super::session::{Session, last_words};
use super::tar::{self, Entry};
use super::undo::Undo;

/// How long importing the image may take.
const IMPORT_LIMIT: Duration = Duration::from_secs(60);
/// How long Docker may take to start the container.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often the container's process is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The environment variable by which the container's process is found.
const INSTANCE: &str = "TIERPROBE_LAB_INSTANCE";

/// See the module.
#[derive(Debug)]
pub(crate) struct Docker;

struct Image<'a> {
    session: &'a Session,
    folder: PathBuf,
    daemon: Daemon,
    name: String,
}

impl Launcher for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn describe(&self) -> &'static str {
        "Docker with its defaults (seccomp filter, own control group, overlay file system) and --network none: a \
         network namespace with a loopback interface"
    }

    fn check(&self, machine: &Machine) -> Result<Ready, Reason> {
        if command::find("docker").is_none() {
            return Err(Reason::missing("docker", "docker.io"));
        }
        if !machine.is_root {
            return Err(Reason::not_root());
        }
        match (Daemon::version_of_running(), command::find("dockerd")) {
            (Some(version), _) => Ok(Ready::with(format!("the running daemon, {version}"))),
            (None, Some(_)) => Ok(Ready::with("a daemon of the lab's own, as none is running")),
            (None, None) => Err(Reason::missing("dockerd", "docker.io")),
        }
    }

    fn prepare<'a>(&self, session: &'a Session, _machine: &Machine) -> anyhow::Result<Box<dyn Starter + 'a>> {
        let folder = session.folder_for(self.name())?;
        let daemon = match Daemon::running()? {
            Some(daemon) => daemon,
            None => Daemon::start(session, &folder)?,
        };
        let image = Image { session, folder, daemon, name: format!("{}:1", session.name) };
        image.import()?;
        Ok(Box::new(image))
    }
}

impl Image<'_> {
    fn import(&self) -> anyhow::Result<()> {
        let archive = self.folder.join("image.tar");
        write_archive(&archive, &self.session.agent)?;
        self.session.cleanup.push(self.daemon.undo(&["rmi", "--force", &self.name]));
        let mut import = self.daemon.client();
        import
            .args(["import", "--change", "ENTRYPOINT [\"/agent\"]", "--change", "WORKDIR /"])
            .arg(&archive)
            .arg(&self.name);
        command::run(&mut import, IMPORT_LIMIT, Some(&self.session.stop)).map(drop)
    }

    /// The agent's process: the docker command could tell it, but only after it has ended, which would count as
    /// start time.
    fn wait_for_process(&self, name: &str, child: &mut Child, log: &Path) -> anyhow::Result<i32> {
        let client = i32::try_from(child.id())?;
        let end = Instant::now() + START_LIMIT;
        loop {
            let ended = child.try_wait()?;
            // Numbers go up, except where they start anew: then the late look at all of them finds it.
            let candidates = process_table::pids().into_iter().filter(|pid| *pid > client || ended.is_some());
            if let Some(pid) =
                candidates.into_iter().find(|pid| process_table::has_variable(*pid, INSTANCE, name))
            {
                return Ok(pid);
            }
            if let Some(status) = ended.filter(|status| !status.success()) {
                bail!("docker failed ({status}): {}", last_words(log));
            }
            if Instant::now() > end {
                bail!("docker did not start the container within {} s", START_LIMIT.as_secs());
            }
            self.session.stop.check()?;
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Starter for Image<'_> {
    fn start(&mut self, plan: &Plan) -> anyhow::Result<Instance> {
        let socket = SocketAddr::from((Ipv4Addr::LOCALHOST, INSIDE_PORT));
        let log = self.folder.join(format!("{}.log", plan.name));
        let client = self.daemon.client();
        let mut command = self.session.command(Path::new(client.get_program()), &log)?;
        command
            .args(client.get_args())
            .args(["run", "--detach", "--network", "none", "--name", &plan.name])
            .args(["--env", &format!("{MARKER}={}", self.session.name)])
            .args(["--env", &format!("{INSTANCE}={}", plan.name)])
            .arg(&self.name)
            .args(plan.agent_arguments(&socket.to_string()));
        self.session.cleanup.push(self.daemon.undo(&["rm", "--force", &plan.name]));
        let spawned = Instant::now();
        let mut child = command.spawn()?;
        if let Some(undo) = Undo::process(i32::try_from(child.id())?, Duration::ZERO) {
            self.session.cleanup.push(undo);
        }
        let pid = self.wait_for_process(&plan.name, &mut child, &log)?;
        // The shim exists for this container alone, so its memory is the container's.
        let shim = process_table::stat(pid).map(|stat| stat.parent);
        let shim = shim.filter(|parent| process_table::name(*parent).contains("shim"));
        Ok(Instance {
            address: Address::inside(pid, socket).context("entering the container's network")?,
            spawned,
            roots: std::iter::once(pid).chain(shim).collect(),
            accel: None,
            retries: 0,
            command: Some(child),
            log,
            clock: None,
        })
    }

    fn shared(&self) -> Vec<SharedCost> {
        self.daemon.shared()
    }
}

fn write_archive(archive: &Path, agent: &Path) -> anyhow::Result<()> {
    let program = std::fs::read(agent).with_context(|| format!("cannot read {}", agent.display()))?;
    let entries = [
        Entry { path: "tmp/", mode: 0o1777, content: None },
        Entry { path: "agent", mode: 0o755, content: Some(&program) },
    ];
    let file = File::create(archive).with_context(|| format!("cannot make {}", archive.display()))?;
    let mut output = BufWriter::new(file);
    tar::write(&mut output, &entries)?;
    output.into_inner().context("writing the image")?;
    Ok(())
}
