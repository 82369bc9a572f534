//! The Docker daemon: the one that runs, or one of the lab's own.
//!
//! The lab's own lives in the lab's folder, makes no bridge and no firewall rules, and runs in a mount namespace of
//! its own, so that nothing of it is left in the host's network or mounts. See dockerd(8).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::command;
use super::launcher::SharedCost;
use super::process_table;
use super::session::{Session, last_words};
use super::undo::Undo;

/// How long a question to the daemon may take.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// How long a daemon may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END_LIMIT: Duration = Duration::from_secs(20);

/// Where daemons make files, wherever their data is kept: sockets, plugins, and older ones a key.
const HIDDEN: [&str; 3] = ["/run", "/opt", "/etc/docker"];

/// Hides folders of the machine under empty ones, in the mount namespace that it runs in, and becomes the daemon.
/// The folders come before `--`, the daemon's command line after it.
const HIDE: &str =
    "while [ \"$1\" != -- ]; do mount -t tmpfs -o mode=755 tierprobe-lab \"$1\" || exit; shift; done
shift
exec \"$@\"";

/// What older daemons make where there is no `/etc/docker` to hide.
const KEY: &str = "/etc/docker/key.json";

/// A Docker daemon that answers.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: PathBuf,
    /// What the client is told about where the daemon is.
    arguments: Vec<String>,
    /// The lab's own daemon.
    own: Option<i32>,
}

impl Daemon {
    /// The version of the daemon that runs on this machine, if it answers.
    #[must_use]
    pub(crate) fn version_of_running() -> Option<String> {
        Self::running().ok().flatten()?.version().ok()
    }

    /// The daemon that runs on this machine, if it answers.
    ///
    /// # Errors
    ///
    /// When there is no client to ask with.
    pub(crate) fn running() -> anyhow::Result<Option<Self>> {
        let program = command::find("docker").context("no docker")?;
        let daemon = Self { program, arguments: Vec::new(), own: None };
        Ok(daemon.version().is_ok().then_some(daemon))
    }

    /// Starts a daemon that keeps everything in `folder`.
    ///
    /// # Errors
    ///
    /// When it does not answer in time.
    pub(crate) fn start(session: &Session, folder: &Path) -> anyhow::Result<Self> {
        let program = command::find("docker").context("no docker")?;
        let daemon = command::find("dockerd").context("no dockerd")?;
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let socket = format!("unix://{}", path("docker.sock"));
        // Not the machine's: its settings may contradict ours.
        std::fs::write(folder.join("daemon.json"), "{}")?;
        let log = folder.join("dockerd.log");
        let unshare = command::find("unshare").context("no unshare, which is in the package util-linux")?;
        let mut command = session.command(&unshare, &log)?;
        command.args(["--mount", "--propagation", "private", "sh", "-c", HIDE, "sh"]);
        // The lab's own folder must stay visible.
        command
            .args(HIDDEN.iter().filter(|hidden| Path::new(hidden).is_dir() && !folder.starts_with(hidden)));
        command
            .arg("--")
            .arg(&daemon)
            .args([
                "--config-file",
                &path("daemon.json"),
                "--host",
                &socket,
                "--pidfile",
                &path("dockerd.pid"),
            ])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec")])
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"])
            .args(["--ip-masq=false", "--userland-proxy=false", "--exec-opt", "native.cgroupdriver=cgroupfs"])
            .args(["--cgroup-parent", &format!("/{}", session.name)]);
        if Path::new(KEY).parent().is_some_and(|parent| !parent.exists()) {
            session.cleanup.push(Undo::EmptyFolder("/etc/docker".into()));
            session.cleanup.push(Undo::File(KEY.into()));
        }
        let pid = i32::try_from(command.spawn()?.id())?;
        if let Some(undo) = Undo::process(pid, END_LIMIT) {
            session.cleanup.push(undo);
        }
        let arguments = ["--config", &path("client"), "--host", &socket].map(str::to_owned).to_vec();
        let daemon = Self { program, arguments, own: Some(pid) };
        daemon.wait(session, &log)?;
        Ok(daemon)
    }

    fn wait(&self, session: &Session, log: &Path) -> anyhow::Result<()> {
        let begin = Instant::now();
        while let Err(error) = self.version() {
            let is_gone = self.own.and_then(process_table::stat).is_none_or(|stat| stat.is_zombie);
            if is_gone || begin.elapsed() > START_LIMIT {
                bail!("dockerd does not answer ({error}): {}", last_words(log));
            }
            session.stop.sleep(Duration::from_millis(100))?;
        }
        Ok(())
    }

    fn version(&self) -> anyhow::Result<String> {
        let mut command = self.client();
        command.args(["version", "--format", "{{.Server.Version}}"]);
        let version = command::run(&mut command, ASK_LIMIT, None)?.trim().to_owned();
        // Older clients succeed without a server.
        if version.is_empty() { bail!("no daemon") } else { Ok(version) }
    }

    /// The client's command, to be given what to do.
    #[must_use]
    pub(crate) fn client(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    /// A clean-up step by the client.
    #[must_use]
    pub(crate) fn undo(&self, arguments: &[&str]) -> Undo {
        let arguments = self.arguments.iter().cloned().chain(arguments.iter().copied().map(str::to_owned));
        Undo::Command { program: self.program.clone(), arguments: arguments.collect() }
    }

    /// The memory of the daemons that serve all containers.
    #[must_use]
    pub(crate) fn shared(&self) -> Vec<SharedCost> {
        let candidates = match self.own {
            Some(pid) => process_table::family(pid),
            None => process_table::pids(),
        };
        let cost = |pid: i32| {
            let name = process_table::name(pid);
            let pss_bytes = process_table::pss_bytes(pid)?;
            matches!(name.as_str(), "dockerd" | "containerd").then_some(SharedCost { name, pss_bytes })
        };
        candidates.into_iter().filter_map(cost).collect()
    }
}
