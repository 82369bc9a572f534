//! A container of systemd-nspawn, which needs no daemon: systemd-nspawn(1).

use std::fs;
use std::process::Command;

use tierprobe_tests::need::need;

use super::case::{Case, Expected, Outcome, Want};
use super::kit::{LIMIT, Lab, Said};
use super::run;

/// It keeps notes in `/run`, which are its own this way and gone with it.
const HIDE: &str = "mount -t tmpfs -o mode=755 detection /run && exec \"$@\"";

/// One container.
pub(crate) fn cases(lab: &Lab) -> Vec<Case> {
    let outcome = match need("systemd-nspawn") {
        Some(nspawn) if nix::unistd::geteuid().is_root() => {
            let root = lab.path("nspawn");
            for name in ["usr", "etc", "kit", "proc", "sys", "dev", "tmp", "run"] {
                fs::create_dir_all(root.join(name)).unwrap();
            }
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "sh", "-c", HIDE, "sh"]).arg(nspawn);
            command.args(["--quiet", "--register=no", "--keep-unit", "--resolv-conf=off", "--timezone=off"]);
            command.arg(format!("--machine={}", lab.run)).arg("--directory").arg(root);
            command.arg(format!("--bind-ro={}:/kit", lab.kit().display()));
            command.arg("--").args(Lab::probe(std::path::Path::new("/kit")));
            match run::output(&mut command, LIMIT) {
                Ok(output) if output.status.success() => Said::parse(&output.stdout).into(),
                // It was never in the container.
                Ok(output) if output.stdout.trim().is_empty() => Outcome::Impossible(output.complaint()),
                Ok(output) => Outcome::Failed(output.complaint()),
                Err(why) => Outcome::Failed(why),
            }
        }
        Some(_) => Outcome::Impossible("only root may".to_owned()),
        None => Outcome::Impossible("systemd-nspawn is not installed".to_owned()),
    };
    vec![Case::new("systemd-nspawn", Expected::container(&lab.host, Want::Named("nspawn".into())), outcome)]
}
