//! Virtual machines of QEMU's emulation, as they are and disguised, and a container in one. See qemu(1).
//!
//! Emulation only: it works everywhere and looks the same everywhere.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tierprobe_tests::need::{find, need};

use super::case::{Case, Expected, Outcome};
use super::guest;
use super::kit::{Lab, Said};
use super::run::{LOOK, Running};

/// How long a guest may take to its first word, and how often it is started.
const UP_LIMIT: Duration = Duration::from_secs(25);
const ATTEMPTS: u32 = 3;

/// How long it may take from there to its last.
const END_LIMIT: Duration = Duration::from_secs(60);

/// What QEMU says of a processor that its emulation cannot be.
const REFUSED: &str = "kernel doesn't allow setting HyperV";

/// Two workers, so that two guests run at a time.
pub(crate) const WORKERS: usize = 2;

struct Guest {
    name: &'static str,
    machine: &'static str,
    processor: &'static str,
    /// More of QEMU's arguments.
    more: &'static [&'static str],
    /// What the guest runs, see [`guest`].
    place: &'static str,
    expected: fn() -> Expected,
    /// What its evidence must have, or the case is not the one that it is called.
    must_show: Option<&'static str>,
    /// Whether QEMU may have no such processor.
    may_be_refused: bool,
}

const PLAIN: Guest = Guest {
    name: "QEMU q35",
    machine: "q35",
    processor: "max",
    more: &["-device", "virtio-rng-pci"],
    place: "machine",
    expected: || Expected::guest("qemu"),
    must_show: None,
    may_be_refused: false,
};

const GUESTS: [Guest; 8] = [
    PLAIN,
    Guest {
        name: "QEMU q35: a container of runc in it",
        place: "runc",
        expected: || Expected::guest("qemu").contained(),
        ..PLAIN
    },
    Guest {
        name: "QEMU microvm",
        machine: "microvm",
        // By the host's clock it often waits for ever for its first timer tick; by that of its instructions it never did.
        more: &["-device", "virtio-rng-device", "-icount", "shift=auto"],
        expected: || Expected::guest("qemu_microvm"),
        ..PLAIN
    },
    Guest {
        name: "QEMU q35: DMI says VMware",
        must_show: Some("VMware"),
        more: &[
            "-smbios",
            "type=0,vendor=Phoenix Technologies LTD,version=6.00",
            "-smbios",
            "type=1,manufacturer=VMware,, Inc.,product=VMware Virtual Platform",
        ],
        ..PLAIN
    },
    Guest {
        name: "QEMU q35: DMI says Dell",
        must_show: Some("Dell Inc."),
        more: &[
            "-smbios",
            "type=0,vendor=Dell Inc.,version=2.19.1",
            "-smbios",
            "type=1,manufacturer=Dell Inc.,product=PowerEdge R740",
        ],
        ..PLAIN
    },
    Guest {
        name: "QEMU q35: hypervisor bit hidden",
        processor: "max,hypervisor=off",
        expected: || Expected::guest("qemu").without_hypervisor(),
        ..PLAIN
    },
    Guest {
        name: "QEMU q35: DMI says Dell, hypervisor bit hidden",
        must_show: Some("Dell Inc."),
        processor: "max,hypervisor=off",
        more: &[
            "-smbios",
            "type=0,vendor=Dell Inc.,version=2.19.1",
            "-smbios",
            "type=1,manufacturer=Dell Inc.,product=PowerEdge R740",
        ],
        expected: || Expected::guest("qemu").without_hypervisor(),
        ..PLAIN
    },
    Guest {
        name: "QEMU q35: Hyper-V enlightenments",
        processor: "max,hv-relaxed=on,hv-time=on",
        must_show: Some("Microsoft Hv"),
        may_be_refused: true,
        ..PLAIN
    },
];

/// What all guests boot.
pub(crate) struct Image {
    pub(crate) qemu: PathBuf,
    pub(crate) kernel: PathBuf,
    pub(crate) archive: PathBuf,
}

/// Builds it, or says what is missing.
pub(crate) fn image(lab: &Lab) -> Result<Image, &'static str> {
    let qemu = need("qemu-system-x86_64").ok_or("QEMU is not installed")?;
    let kernel =
        tierprobe_tests::guest::kernel().ok_or("there is no guest kernel (linux-image-cloud-amd64)")?;
    Ok(Image { qemu, kernel, archive: guest::archive(lab) })
}

/// Every [`WORKERS`]th guest, from `worker` on, with its place in the list.
pub(crate) fn cases(lab: &Lab, image: &Result<Image, &'static str>, worker: usize) -> Vec<(usize, Case)> {
    let mine = GUESTS.iter().enumerate().filter(|(index, _)| index % WORKERS == worker);
    mine.map(|(index, guest)| {
        let outcome = match image {
            Ok(image) => outcome(lab, image, guest, index),
            Err(why) => Outcome::Impossible((*why).to_owned()),
        };
        (index, Case::new(guest.name, (guest.expected)(), outcome))
    })
    .collect()
}

fn outcome(lab: &Lab, image: &Image, guest: &Guest, index: usize) -> Outcome {
    if guest.place == "runc" && find("runc").is_none() {
        return Outcome::Impossible("runc is not installed".to_owned());
    }
    let mut complaint = String::new();
    for attempt in 0..ATTEMPTS {
        match boot(image, guest, &lab.path(&format!("guest-{index}-{attempt}"))) {
            Ok(said) => {
                let shows = |text: &str| said.detection.evidence.iter().any(|e| e.value.contains(text));
                return match guest.must_show.filter(|text| !shows(text)) {
                    Some(text) if guest.may_be_refused => Outcome::Impossible(format!(
                        "QEMU gives them to guests of KVM only; its emulation takes the flags and does not show {text:?}"
                    )),
                    Some(text) => Outcome::Failed(format!("the agent saw no {text:?}")),
                    None => Ok(said).into(),
                };
            }
            Err(why) if guest.may_be_refused && why.contains(REFUSED) => {
                return Outcome::Impossible(why);
            }
            Err(why) => complaint = why,
        }
    }
    Outcome::Failed(format!("{ATTEMPTS} attempts: {complaint}"))
}

fn boot(image: &Image, guest: &Guest, files: &Path) -> Result<Said, String> {
    let (serial, log) = (files.with_extension("serial"), files.with_extension("log"));
    let mut command = Command::new(&image.qemu);
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-m", "384"]);
    command.args(["-machine", &format!("{},accel=tcg", guest.machine), "-cpu", guest.processor]);
    command.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&image.archive);
    command.args(["-append", &format!("console=ttyS0 loglevel=1 panic=-1 {}={}", guest::PLACE, guest.place)]);
    command.args(["-serial", &format!("file:{}", serial.display())]).args(guest.more);
    let output = File::create(&log).unwrap();
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let mut machine = Running::start(&mut command, Duration::ZERO)?;
    let begin = Instant::now();
    loop {
        let ended = machine.wait(LOOK);
        let text = String::from_utf8_lossy(&fs::read(&serial).unwrap_or_default()).into_owned();
        if let Some((before, _)) = text.split_once(guest::END) {
            return Said::parse(before);
        }
        let limit = if text.contains(guest::UP) { END_LIMIT } else { UP_LIMIT };
        if ended.is_some() || begin.elapsed() > limit {
            let log = fs::read_to_string(&log).unwrap_or_default();
            let how = if ended.is_some() { "QEMU ended" } else { "the guest took too long" };
            return Err(format!("{how}: {log}{text}"));
        }
    }
}
