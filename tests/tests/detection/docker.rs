//! Docker's containers, from a daemon of the run's own: in a mount namespace of its own, without bridge or firewall.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tierprobe_tests::need::{find, need};

use super::case::{Case, Expected, Outcome, Want};
use super::kit::{LIMIT, Lab, Said};
use super::run::{self, LOOK, Running};

const HOST: &[&str] = &["--pid=host", "--network=host", "--ipc=host", "--uts=host", "--cgroupns=host"];

const VARIANTS: [(&str, &[&str]); 6] = [
    ("docker: defaults", &["--network=none"]),
    (
        "docker: no seccomp filter, read-only root",
        &["--network=none", "--security-opt=seccomp=unconfined", "--read-only"],
    ),
    ("docker: private cgroup namespace", &["--network=none", "--cgroupns=private"]),
    ("docker: the machine's namespaces", HOST),
    (PRIVILEGED, &["--network=none", "--privileged"]),
    // What `--privileged` stands for, one by one; the capabilities are added where it is started.
    (
        GRANTED,
        &[
            "--network=none",
            "--security-opt=seccomp=unconfined",
            "--security-opt=apparmor=unconfined",
            "--security-opt=systempaths=unconfined",
            "--device=/dev/kmsg",
            "--volume=/sys:/sys",
            "--pid=host",
            "--cgroupns=host",
        ],
    ),
];

/// For machines that lack a capability, and so cannot give all.
const GRANTED: &str = "docker: as privileged as the machine itself";

/// Flags for the capabilities that the machine has to give: those in the bounding set of whoever runs this.
fn capabilities() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bits = bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default();
    // By their numbers, see linux/capability.h. Those of Linux 5.8 and later are left out: not every Docker knows them.
    let names = CAPABILITIES.split_ascii_whitespace().enumerate();
    names.filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| format!("--cap-add={name}")).collect()
}

const CAPABILITIES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP \
    LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO \
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE \
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ";

const PRIVILEGED: &str = "docker: privileged";

/// Hides folders that the daemon writes to wherever its data is kept; they come before `--`, the daemon after it.
const HIDE: &str =
    "while [ \"$1\" != -- ]; do mount -t tmpfs -o mode=755 detection \"$1\" || exit; shift; done
shift
exec \"$@\"";
const HIDDEN: [&str; 3] = ["/run", "/opt", KEY_FOLDER];
const KEY_FOLDER: &str = "/etc/docker";

/// Docker's own errors, as opposed to the program's.
const OWN_ERRORS: std::ops::RangeInclusive<i32> = 125..=127;

struct Docker {
    client: PathBuf,
    socket: String,
    config: PathBuf,
    image: String,
    // Dropped in this order.
    _daemon: Running,
    _made: Made,
}

/// What older daemons make where there is no `/etc/docker` to hide.
struct Made(Option<&'static str>);

impl Made {
    /// Notes that the folder is not there yet.
    fn watch() -> Self {
        Self(Some(KEY_FOLDER).filter(|folder| !fs::exists(folder).unwrap()))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(folder) = self.0 {
            let _may_not_be_there = fs::remove_file(format!("{folder}/key.json"));
            let _may_not_be_there = fs::remove_dir(folder);
        }
    }
}

/// All of them.
pub(crate) fn cases(lab: &Lab) -> Vec<Case> {
    let expected = Expected::container(&lab.host, Want::Named("docker".into()));
    let is_root = nix::unistd::geteuid().is_root();
    let absent = match (need("dockerd"), find("docker")) {
        (Some(_), Some(_)) if is_root => None,
        (Some(_), Some(_)) => Some("only root may"),
        _ => Some("docker is not installed"),
    };
    let docker = if absent.is_none() { Some(Docker::start(lab)) } else { None };
    let cases = VARIANTS.iter().enumerate().map(|(index, (name, flags))| {
        let outcome = match &docker {
            Some(Ok(docker)) => {
                let granted = if *name == GRANTED { capabilities() } else { Vec::new() };
                let flags =
                    flags.iter().copied().chain(granted.iter().map(String::as_str)).collect::<Vec<_>>();
                docker.ask(&format!("{}-docker-{index}", lab.run), &flags, *name == PRIVILEGED)
            }
            Some(Err(why)) => Outcome::Failed(why.clone()),
            None => Outcome::Impossible(absent.unwrap_or_default().to_owned()),
        };
        Case::new(name, expected.clone(), outcome)
    });
    cases.collect()
}

impl Docker {
    fn start(lab: &Lab) -> Result<Self, String> {
        let folder = lab.path("docker");
        fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        fs::write(folder.join("daemon.json"), "{}").unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let socket = format!("unix://{}", path("docker.sock"));
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", HIDE, "sh"]);
        // A folder above the run's own must stay visible.
        command
            .args(HIDDEN.iter().filter(|hidden| fs::exists(hidden).unwrap() && !folder.starts_with(hidden)));
        command.args(["--", "dockerd", "--config-file", &path("daemon.json"), "--host", &socket]);
        command.args(["--pidfile", &path("pid"), "--data-root", &path("data"), "--exec-root", &path("exec")]);
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]);
        command.args([
            "--ip-masq=false",
            "--userland-proxy=false",
            "--cgroup-parent",
            &format!("/{}", lab.run),
        ]);
        command.args(["--exec-opt", "native.cgroupdriver=cgroupfs"]);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let made = Made::watch();
        let mut daemon = Running::start(&mut command, Duration::from_secs(20))?;
        let deadline = Instant::now() + Duration::from_secs(40);
        while fs::metadata(path("docker.sock")).is_err() {
            if daemon.wait(LOOK).is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                return Err(format!("dockerd does not answer: {log}"));
            }
        }
        let image = format!("{}:1", lab.run);
        let client = find("docker").unwrap_or_default();
        let docker =
            Self { client, socket, config: folder.join("client"), image, _daemon: daemon, _made: made };
        docker.import(lab, deadline)?;
        Ok(docker)
    }

    fn client(&self) -> Command {
        let mut command = Command::new(&self.client);
        command.arg("--config").arg(&self.config).args(["--host", &self.socket]);
        command
    }

    fn import(&self, lab: &Lab, deadline: Instant) -> Result<(), String> {
        let archive = lab.path("image.tar");
        let packed = run::output(
            Command::new("tar").arg("-C").arg(lab.root()).arg("-cf").arg(&archive).arg("."),
            LIMIT,
        )?;
        assert!(packed.status.success(), "{}", packed.complaint());
        loop {
            let imported = run::output(self.client().arg("import").arg(&archive).arg(&self.image), LIMIT)?;
            if imported.status.success() {
                return Ok(());
            }
            // The socket is there before the daemon listens.
            if Instant::now() > deadline {
                return Err(imported.complaint());
            }
            sleep(LOOK);
        }
    }

    fn ask(&self, name: &str, flags: &[&str], may_be_refused: bool) -> Outcome {
        let mut command = self.client();
        command.args(["run", "--name", name]).args(flags).arg(&self.image);
        command.args(Lab::probe(std::path::Path::new("/kit")));
        let output = run::output(&mut command, LIMIT);
        let _gone_already = run::output(self.client().args(["rm", "--force", name]), LIMIT);
        match output {
            Ok(output) if output.status.success() => Said::parse(&output.stdout).into(),
            Ok(output)
                if may_be_refused && output.status.code().is_some_and(|code| OWN_ERRORS.contains(&code)) =>
            {
                Outcome::Impossible(output.stderr.trim().lines().next().unwrap_or_default().to_owned())
            }
            Ok(output) => Outcome::Failed(output.stderr),
            Err(why) => Outcome::Failed(why),
        }
    }
}
