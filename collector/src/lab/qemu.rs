//! The agent in a virtual machine of QEMU, on the kernel made for guests. See qemu(1).
//!
//! Hardware virtualization is tried first, where there is any. A device file alone does not mean that it works:
//! inside another virtual machine it may hang for ever, so the first attempt has a short limit, and its outcome
//! holds for the whole run. Without it QEMU emulates the processor: the tier then works, and its times say
//! nothing about real virtual machines, which is why `accel` is said wherever the numbers are.

use std::fs::{self, File};
use std::io::BufWriter;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::command;
use super::fetch::{self, Address};
use super::guest;
use super::guest_clock::GuestClock;
use super::instance::Instance;
use super::kernel;
use super::launcher::{INSIDE_PORT, Launcher, Machine, Plan, Ready, Reason, Starter};
use super::session::{Session, last_words};
use super::undo::Undo;

const PROGRAM: &str = "qemu-system-x86_64";
const KVM: &str = "kvm";
const TCG: &str = "tcg";

/// How long a guest with hardware virtualization may take to its marker; it takes about a second.
const KVM_LIMIT: Duration = Duration::from_secs(6);
/// How long an emulated guest may take to its marker; it takes about four seconds on two idle cores.
const TCG_LIMIT: Duration = Duration::from_secs(60);
/// How often a guest that did not reach its marker is started again.
const ATTEMPTS: u32 = 3;
/// How often the marker is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// The guest's memory, in MiB.
const MEMORY_MIB: u32 = 128;

/// See the module.
#[derive(Debug)]
pub(crate) struct Qemu;

struct Guest<'a> {
    session: &'a Session,
    folder: PathBuf,
    program: PathBuf,
    image: PathBuf,
    accel: &'static str,
    /// Why the processor is emulated.
    why_emulated: Option<String>,
    has_worked: bool,
}

impl Launcher for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn describe(&self) -> &'static str {
        "QEMU q35, 128 MiB, up to two processors, virtio network; the agent is the first process of a Debian cloud \
         kernel without a distribution; KVM where it works, else emulation"
    }

    fn check(&self, machine: &Machine) -> Result<Ready, Reason> {
        if std::env::consts::ARCH != "x86_64" {
            return Err(Reason::new("only made for x86-64 so far", "use the other launchers"));
        }
        let program = command::find(PROGRAM).ok_or_else(|| Reason::missing(PROGRAM, "qemu-system-x86"))?;
        static_busybox()?;
        let kernel = kernel::find(machine.kernel.as_deref())?;
        let accel = if has_kvm() { "KVM, if it works" } else { "emulation (no access to /dev/kvm)" };
        Ok(Ready::with(format!("{}, kernel {}, {accel}", program.display(), kernel.release)))
    }

    fn prepare<'a>(&self, session: &'a Session, machine: &Machine) -> anyhow::Result<Box<dyn Starter + 'a>> {
        let folder = session.folder_for(self.name())?;
        let kernel = kernel::find(machine.kernel.as_deref())?;
        let archive = BufWriter::new(File::create(folder.join("initrd"))?);
        guest::write(archive, &session.agent, &static_busybox()?, &kernel, &folder)?;
        let program = command::find(PROGRAM).context("no QEMU")?;
        let image = kernel.image;
        let (accel, why_emulated) =
            if has_kvm() { (KVM, None) } else { (TCG, Some("no access to /dev/kvm".to_owned())) };
        Ok(Box::new(Guest { session, folder, program, image, accel, why_emulated, has_worked: false }))
    }
}

/// A busybox that runs without libraries, which the guest does not have.
fn static_busybox() -> Result<PathBuf, Reason> {
    let missing = || Reason::missing("static busybox", "busybox-static");
    let program = command::find("busybox").ok_or_else(missing)?;
    if super::elf::is_static(&program).unwrap_or(false) { Ok(program) } else { Err(missing()) }
}

fn has_kvm() -> bool {
    File::options().read(true).write(true).open("/dev/kvm").is_ok()
}

impl Guest<'_> {
    fn arguments(&self, plan: &Plan, port: u16, clock: &Path, serial: &Path) -> Vec<String> {
        let processor = if self.accel == KVM { "host" } else { "max" };
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get().min(2));
        let agent = plan.agent_arguments(&format!("0.0.0.0:{INSIDE_PORT}")).join(" ");
        let accel = self.accel;
        let mut arguments: Vec<String> =
            ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"].map(str::to_owned).to_vec();
        for (name, value) in [
            ("-name", plan.name.clone()),
            ("-machine", format!("q35,accel={accel}")),
            ("-cpu", processor.to_owned()),
            ("-smp", processors.to_string()),
            ("-m", MEMORY_MIB.to_string()),
            ("-kernel", self.image.to_string_lossy().into_owned()),
            ("-initrd", self.folder.join("initrd").to_string_lossy().into_owned()),
            // A crashed guest must end the machine (panic=-1 with -no-reboot), not wait for a reader.
            ("-append", format!("console=ttyS0 quiet panic=-1 -- {agent}")),
            ("-serial", format!("file:{}", serial.display())),
            ("-chardev", format!("socket,id=clock,path={},server=on,wait=off", clock.display())),
            ("-serial", "chardev:clock".to_owned()),
            // `restrict` keeps the guest from every network but the forwarded port.
            (
                "-netdev",
                format!(
                    "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-{}:{INSIDE_PORT}",
                    guest::ADDRESS
                ),
            ),
            ("-device", "virtio-net-pci,netdev=net".to_owned()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        arguments
    }

    fn boot(&self, plan: &Plan, attempt: u32) -> anyhow::Result<Instance> {
        let file = |kind: &str| self.folder.join(format!("{}-{attempt}.{kind}", plan.name));
        let (log, serial, clock) = (file("log"), file("serial"), self.folder.join(format!("{attempt}.sock")));
        // A path that QEMU can bind is at most 107 bytes, so the socket's name is short, and used again.
        let _ = fs::remove_file(&clock);
        let port = fetch::free_port()?;
        let mut command = self.session.command(&self.program, &log)?;
        command.args(self.arguments(plan, port, &clock, &serial));
        let spawned = Instant::now();
        let pid = i32::try_from(command.spawn()?.id())?;
        if let Some(undo) = Undo::process(pid, Duration::from_secs(2)) {
            self.session.cleanup.push(undo);
        }
        self.wait_for_marker(pid, &serial, &log)?;
        Ok(Instance {
            address: Address::host(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            spawned,
            roots: vec![pid],
            accel: Some(self.accel),
            retries: 0,
            command: None,
            log: serial,
            clock: GuestClock::connect(&clock).ok(),
        })
    }

    /// QEMU's forwarded port accepts connections long before the guest does; asking it would measure our own
    /// time limits. The marker says when asking begins to make sense.
    fn wait_for_marker(&self, pid: i32, serial: &Path, log: &Path) -> anyhow::Result<()> {
        let limit = if self.accel == KVM { KVM_LIMIT } else { TCG_LIMIT };
        let begin = Instant::now();
        loop {
            let text = fs::read(serial).unwrap_or_default();
            if String::from_utf8_lossy(&text).contains(guest::MARKER) {
                return Ok(());
            }
            if super::process_table::stat(pid).is_none_or(|stat| stat.is_zombie) {
                bail!("QEMU ended: {} {}", last_words(log), last_words(serial));
            }
            if begin.elapsed() > limit {
                bail!("the guest did not come up within {} s: {}", limit.as_secs(), last_words(serial));
            }
            self.session.stop.check()?;
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Starter for Guest<'_> {
    fn note(&self) -> Option<String> {
        let why = self.why_emulated.as_ref()?;
        Some(format!(
            "the processor was emulated; its times and its memory say nothing about virtual machines with hardware \
             support ({why})"
        ))
    }

    fn start(&mut self, plan: &Plan) -> anyhow::Result<Instance> {
        let mut retries = 0;
        loop {
            let mark = self.session.cleanup.mark();
            let error = match self.boot(plan, retries) {
                Ok(instance) => {
                    self.has_worked = true;
                    return Ok(Instance { retries, ..instance });
                }
                Err(error) => error,
            };
            self.session.stop.check()?;
            for left in self.session.cleanup.back_to(mark) {
                self.session.progress.note(&left);
            }
            if self.accel == KVM && !self.has_worked {
                // Not a retry: the machine is tried in its other form, and the report says which one ran.
                self.session.progress.note(&format!("qemu: KVM does not work here ({error:#}), emulating"));
                self.accel = TCG;
                self.why_emulated = Some(format!("KVM was tried and does not work: {error:#}"));
                continue;
            }
            retries += 1;
            if retries == ATTEMPTS {
                return Err(error.context(format!("{ATTEMPTS} attempts failed")));
            }
            self.session.progress.note(&format!("qemu: {error:#}; trying again"));
        }
    }
}
