//! Places without a runtime: the machine as it is, single namespaces, bubblewrap.

use std::path::Path;
use std::process::Command;

use tierprobe_tests::need::need;

use super::case::{Case, Expected, Outcome, Want};
use super::kit::Lab;

/// One namespace each: a service with something private, not a container.
const NAMESPACES: [(&str, &[&str]); 8] = [
    ("unshare: mount namespace", &["--mount"]),
    ("unshare: uts namespace", &["--uts"]),
    ("unshare: ipc namespace", &["--ipc"]),
    ("unshare: network namespace", &["--net"]),
    ("unshare: pid namespace", &["--pid", "--fork", "--kill-child"]),
    ("unshare: user namespace", &["--user", "--map-root-user"]),
    ("unshare: cgroup namespace", &["--cgroup"]),
    ("unshare: time namespace", &["--time", "--fork", "--kill-child"]),
];

const ALL: &[&str] = &["--unshare-all"];
const TWO: &[&str] = &["--unshare-user", "--unshare-ipc"];

/// What Flatpak shows of `/sys`.
const SYS: [&str; 5] = ["/sys/block", "/sys/bus", "/sys/class", "/sys/dev", "/sys/devices"];

/// The machine, and processes with one private namespace.
pub(crate) fn processes(lab: &Lab) -> Vec<Case> {
    let expected = Expected::process(&lab.host);
    let probe = Lab::probe(&lab.kit());
    let [shell, rest @ ..] = &probe;
    let machine = Lab::ask(Command::new(shell).args(rest));
    let mut cases = vec![
        Case::new("the machine as it is", expected.clone(), machine),
        Case::new("the machine as it is, to a user without rights", expected.clone(), nobody(lab)),
    ];
    for (name, arguments) in NAMESPACES {
        let outcome = match need("unshare") {
            Some(unshare) => Lab::ask(Command::new(unshare).args(arguments).arg("--").args(&probe)).into(),
            None => Outcome::Impossible("unshare is not installed".to_owned()),
        };
        cases.push(Case::new(name, expected.clone(), outcome));
    }
    cases
}

/// As user 65534, without any capability.
fn nobody(lab: &Lab) -> Outcome {
    let Some(setpriv) = need("setpriv") else {
        return Outcome::Impossible("setpriv is not installed".to_owned());
    };
    if !nix::unistd::geteuid().is_root() {
        return Outcome::Impossible("whoever runs this has no rights to drop".to_owned());
    }
    // The folder of the run is root's alone, and the kit in it for everybody to read.
    lab.open_to_all();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"];
    Lab::ask(Command::new(setpriv).args(nobody).arg("--").args(Lab::probe(&lab.kit()))).into()
}

/// Sandboxes of bubblewrap, with the machine's files and without.
pub(crate) fn bubblewrap(lab: &Lab) -> Vec<Case> {
    let program = need("bwrap");
    let expected = Expected::container(&lab.host, Want::Named("bubblewrap".into()));
    let kit = lab.kit();
    let inside = Path::new("/kit");
    [
        ("bwrap: all namespaces, the machine's files", ALL, true),
        ("bwrap: all namespaces, files of its own", ALL, false),
        ("bwrap: user and ipc namespace, files of its own", TWO, false),
    ]
    .map(|(name, namespaces, shares_files)| {
        let outcome = match &program {
            Some(program) => {
                let mut command = Command::new(program);
                command.arg("--die-with-parent").args(namespaces);
                let seen = if shares_files {
                    command.args(["--ro-bind", "/", "/"]);
                    kit.as_path()
                } else {
                    command.arg("--ro-bind").args([&kit, inside]);
                    for folder in SYS {
                        command.args(["--ro-bind-try", folder, folder]);
                    }
                    inside
                };
                command.args(["--proc", "/proc", "--dev", "/dev"]).args(Lab::probe(seen));
                Lab::ask(&mut command).into()
            }
            None => Outcome::Impossible("bwrap is not installed".to_owned()),
        };
        Case::new(name, expected.clone(), outcome)
    })
    .into()
}
