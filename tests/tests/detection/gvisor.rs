//! gVisor: a kernel in user space. See <https://gvisor.dev/docs/>.

use std::fs;
use std::path::Path;
use std::process::Command;

use tierprobe_tests::need::need;

use super::case::{Case, Expected, Outcome};
use super::kit::{LIMIT, Lab, Said};
use super::run;
use super::runc::{USUAL, config};

/// How it intercepts system calls. Which of them it has depends on its age, which work on the machine.
const PLATFORMS: [&str; 2] = ["systrap", "ptrace"];

/// One sandbox, on the first platform that works.
pub(crate) fn cases(lab: &Lab) -> Vec<Case> {
    let outcome = match need("runsc") {
        Some(runsc) if nix::unistd::geteuid().is_root() => {
            let mut complaints = Vec::new();
            let said = PLATFORMS.iter().find_map(|platform| {
                sandbox(lab, &runsc, platform)
                    .map_err(|why| complaints.push(format!("{platform}: {why}")))
                    .ok()
            });
            // Which platforms work is the machine's affair, not the agent's.
            said.map_or_else(|| Outcome::Impossible(complaints.join("; ")), |said| Ok(said).into())
        }
        Some(_) => Outcome::Impossible("only root may".to_owned()),
        None => Outcome::Impossible("runsc is not installed".to_owned()),
    };
    vec![Case::new("gVisor (runsc)", Expected::gvisor(&lab.host), outcome)]
}

fn sandbox(lab: &Lab, runsc: &Path, platform: &str) -> Result<Said, String> {
    let name = format!("{}-{platform}", lab.run);
    let bundle = lab.path(&name);
    fs::create_dir_all(&bundle).unwrap();
    // Its network is the machine's: making one would change the machine's network.
    let namespaces: Vec<&str> = USUAL.into_iter().filter(|kind| *kind != "network").collect();
    let config = config(&lab.root(), &format!("/{}/{platform}", lab.run), &namespaces);
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let command = || {
        let mut command = Command::new(runsc);
        command.arg("--root").arg(lab.path("runsc-state")).arg(format!("--platform={platform}"));
        command.args(["--network=host", "--ignore-cgroups"]);
        command
    };
    let output = run::output(command().args(["run", "-bundle"]).arg(&bundle).arg(&name), LIMIT);
    let _gone_already = run::output(command().args(["delete", "-force", &name]), LIMIT);
    let output = output?;
    if output.status.success() { Said::parse(&output.stdout) } else { Err(output.complaint()) }
}
