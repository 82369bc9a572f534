//! A whole Debian in a virtual machine of QEMU's emulation: systemd, udev, D-Bus, logind, cron, sshd, rsyslog.
//!
//! The disk is made once by `tests/debian.sh` and never written to: QEMU keeps what the guest changes in a file that
//! goes with it. What a test wants to have in the guest is in the archive that the kernel unpacks first, and copied
//! onto the disk before systemd starts, so that another agent needs no other disk.
//! There is no network but the guest's own loopback interface; commands and their answers go over a serial port.
//!
//! Emulation only: it works everywhere. Its times say nothing about real virtual machines, its memory and its order of
//! events do.

mod archive;
pub mod systemd;

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::need::{need, refuse};
use crate::repository;

pub use archive::Content;

/// What the guest says on the second serial port when it takes commands.
const UP: &str = "tierprobe-tests: the shell is up";

/// How long the guest may take until it does: twenty seconds on an idle machine.
const UP_LIMIT: Duration = Duration::from_secs(150);

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// What a guest is made of, but for what a test puts in.
#[derive(Debug, Clone)]
pub struct Parts {
    qemu: PathBuf,
    busybox: PathBuf,
    kernel: PathBuf,
    modules: PathBuf,
    disk: PathBuf,
}

impl Parts {
    /// Finds them, and makes the disk if it is not there. `None`, said on standard error, where that is not possible.
    ///
    /// # Panics
    ///
    /// As [`need`], where something is missing.
    #[must_use]
    pub fn need() -> Option<Self> {
        for program in ["mmdebstrap", "mke2fs"] {
            need(program)?;
        }
        let (qemu, busybox) = (need("qemu-system-x86_64")?, need("busybox")?);
        Self::find(qemu, busybox).or_else(|why| refuse(&format!("{why:#}")).ok_or(why)).ok()
    }

    /// The parts.
    ///
    /// # Errors
    ///
    /// Which of them is missing, and what to do about it.
    pub fn find(qemu: PathBuf, busybox: PathBuf) -> anyhow::Result<Self> {
        ensure!(nix::unistd::geteuid().is_root(), "only root can make a guest's disk");
        let kernel = kernel().context("no guest kernel; tests/tools.sh test unpacks one")?;
        let made = Command::new("bash").arg(repository("tests/debian.sh")).output().context("bash")?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "tests/debian.sh makes no disk for a guest: {said}");
        let release = kernel.file_name().and_then(|name| name.to_str()?.strip_prefix("vmlinuz-"));
        let root = kernel.parent().and_then(Path::parent).context("a kernel without a folder")?;
        let modules = root.join("lib/modules").join(release.context("a kernel without a release")?);
        Ok(Self { qemu, busybox, kernel, modules, disk: repository("out/debian-guest/root.ext4") })
    }
}

/// The newest kernel made for guests: unpacked by `tests/tools.sh`, or this machine's.
#[must_use]
pub fn kernel() -> Option<PathBuf> {
    let folders = [repository("out/guest-kernel/boot"), PathBuf::from("/boot")];
    let files = folders.into_iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let is_guests = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("vmlinuz-") && name.contains("cloud")
    };
    files.map(|entry| entry.path()).filter(is_guests).max()
}

/// What is special about a guest.
#[derive(Debug)]
pub struct Options {
    /// Its memory.
    pub memory_mib: u32,
    /// Its processors.
    pub processors: u32,
    /// What goes onto its disk: path from the root, and what it is. Folders on the way are made.
    pub files: Vec<(String, Content)>,
    /// More of the kernel's command line.
    pub command_line: String,
    /// More of QEMU's arguments.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_mib: 512,
            processors: 1,
            files: Vec::new(),
            command_line: String::new(),
            arguments: Vec::new(),
        }
    }
}

impl Options {
    /// The agent as it is shipped for systemd: binary, user and unit, switched on.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn with_agent(mut self, agent: &Path) -> anyhow::Result<Self> {
        const UNIT: &str = "tierprobe-agent.service";
        let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
        let unit = read(&repository("deploy/systemd").join(UNIT))?;
        self.files.push(("usr/bin/tierprobe-agent".to_owned(), Content::Program(read(agent)?)));
        self.files.push((format!("etc/systemd/system/{UNIT}"), Content::File(unit)));
        let user = read(&repository("deploy/systemd/sysusers.conf"))?;
        self.files.push(("usr/lib/sysusers.d/tierprobe-agent.conf".to_owned(), Content::File(user)));
        Ok(self.enabled(UNIT))
    }

    /// A unit of these lines, switched on.
    #[must_use]
    pub fn with_unit(mut self, name: &str, lines: &str) -> Self {
        self.files.push((format!("etc/systemd/system/{name}"), Content::File(lines.as_bytes().to_vec())));
        self.enabled(name)
    }

    fn enabled(mut self, unit: &str) -> Self {
        let link = format!("etc/systemd/system/multi-user.target.wants/{unit}");
        self.files.push((link, Content::Link(format!("/etc/systemd/system/{unit}"))));
        self
    }
}

/// A guest that takes commands. It ends when this does.
#[derive(Debug)]
pub struct Guest {
    machine: Child,
    folder: TempDir,
    shell: BufReader<UnixStream>,
    commands: u32,
}

/// What a command in the guest said, both streams together, without the last line's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status.
    pub status: i32,
    /// Its output.
    pub text: String,
}

impl Guest {
    /// Starts a guest, and waits until it takes commands; its boot is not finished by then.
    ///
    /// # Errors
    ///
    /// With what the guest has said so far, when it does not get there.
    pub fn start(parts: &Parts, options: &Options) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tierprobe-guest-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        archive::write(&path("initrd"), folder.path(), &parts.busybox, &parts.modules, &options.files)?;
        let mut command = Command::new(&parts.qemu);
        command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none"]);
        command.args(["-machine", "q35,accel=tcg", "-cpu", "max"]);
        command.args(["-smp", &options.processors.to_string(), "-m", &options.memory_mib.to_string()]);
        command.arg("-kernel").arg(&parts.kernel).arg("-initrd").arg(path("initrd"));
        let line = format!("console=ttyS0 loglevel=4 panic=-1 {}", options.command_line);
        command.args(["-append", line.trim_end()]);
        let disk = format!("file={},format=raw,if=virtio,snapshot=on", parts.disk.display());
        command.args(["-drive", &disk, "-device", "virtio-rng-pci"]);
        command.args(["-serial", &format!("file:{}", path("serial").display())]);
        let socket = format!("socket,id=shell,path={},server=on,wait=off", path("shell").display());
        command.args(["-chardev", &socket, "-serial", "chardev:shell"]).args(&options.arguments);
        // What the guest changes of its disk goes there.
        command.env("TMPDIR", folder.path());
        let log = File::create(path("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut machine = command.spawn().context("QEMU cannot be started")?;
        let shell = match connect(&mut machine, &path("shell")) {
            Ok(shell) => BufReader::new(shell),
            Err(error) => {
                let _ended_already = machine.kill();
                let _nothing_left_to_do = machine.wait();
                let log = fs::read_to_string(path("log")).unwrap_or_default();
                return Err(error.context(log));
            }
        };
        let mut guest = Self { machine, folder, shell, commands: 0 };
        guest.read_until(UP, Instant::now() + UP_LIMIT).context("the guest does not come up")?;
        Ok(guest)
    }

    /// What a shell in the guest, run by root, makes of a line.
    ///
    /// # Errors
    ///
    /// With what the guest has said so far, when there is no answer within a minute and a half.
    pub fn run(&mut self, command: &str) -> anyhow::Result<Answer> {
        ensure!(!command.contains('\n'), "one line at a time");
        self.commands += 1;
        let end = format!("tierprobe-tests: end of {} ", self.commands);
        self.shell.get_mut().write_all(format!("{} {command}\n", self.commands).as_bytes())?;
        let (text, rest) = self
            .read_until(&end, Instant::now() + ANSWER_LIMIT)
            .with_context(|| format!("no answer to {command:?}"))?;
        let status = rest.trim().parse().with_context(|| format!("no exit status in {rest:?}"))?;
        Ok(Answer { status, text: text.trim_end().to_owned() })
    }

    /// What a command says that must succeed.
    ///
    /// # Errors
    ///
    /// As [`Guest::run`], and when it does not.
    pub fn output(&mut self, command: &str) -> anyhow::Result<String> {
        let answer = self.run(command)?;
        ensure!(answer.status == 0, "{command}: exit status {}: {}", answer.status, answer.text);
        Ok(answer.text)
    }

    /// Runs a command until what it says is `wanted`.
    ///
    /// # Errors
    ///
    /// As [`Guest::run`], and with its last answer when it is not wanted within `limit`.
    pub fn wait_for(
        &mut self,
        command: &str,
        limit: Duration,
        wanted: impl Fn(&Answer) -> bool,
    ) -> anyhow::Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            let answer = self.run(command)?;
            if wanted(&answer) {
                return Ok(answer.text);
            }
            if Instant::now() > deadline {
                bail!("{command} still says, after {} s: {answer:?}\n{}", limit.as_secs(), self.log());
            }
            sleep(Duration::from_millis(500));
        }
    }

    /// What a server in the guest answers, on that port of its loopback interface.
    ///
    /// # Errors
    ///
    /// As [`Guest::output`].
    pub fn get(&mut self, port: u16, path: &str) -> anyhow::Result<String> {
        self.output(&get(port, path))
    }

    /// The process of the virtual machine.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.machine.id()
    }

    /// What the guest and QEMU have written so far.
    #[must_use]
    pub fn log(&self) -> String {
        ["log", "serial"].map(|name| read_lossy(&self.folder.path().join(name))).concat()
    }

    /// The text before a line that begins with `end`, and what follows in that line.
    fn read_until(&mut self, end: &str, deadline: Instant) -> anyhow::Result<(String, String)> {
        let mut text = String::new();
        let mut line = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("only {text:?}\n{}", self.log());
            }
            self.shell.get_mut().set_read_timeout(Some(left))?;
            match self.shell.read_until(b'\n', &mut line) {
                Ok(0) => bail!("QEMU ended after {text:?}\n{}", self.log()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            let read = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            // A last line without an end stands before the marker.
            if let Some((before, rest)) = read.split_once(end) {
                text.push_str(before);
                return Ok((text, rest.to_owned()));
            }
            text.push_str(&read);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Nothing in it is worth an orderly end.
        let _ended_already = self.machine.kill();
        let _nothing_left_to_do = self.machine.wait();
    }
}

/// The command that gets what a server in the guest answers.
#[must_use]
pub fn get(port: u16, path: &str) -> String {
    format!("get 127.0.0.1/{port} {path}")
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn connect(machine: &mut Child, socket: &Path) -> anyhow::Result<UnixStream> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let error = match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        if let Some(status) = machine.try_wait()? {
            bail!("QEMU ended: {status}");
        }
        if Instant::now() > deadline {
            return Err(error).context("QEMU makes no socket");
        }
        sleep(LOOK);
    }
}
