//! Control groups: runtimes name their groups in ways of their own.
//!
//! `/proc/self/cgroup` (cgroups(7)) has a line `id:controllers:path` a hierarchy: several under v1 and hybrid, one
//! (`0::path`) under v2. A private cgroup namespace hides everything above: the path is then `/` and says nothing.

use super::claim::{ANY, Claim, container, orchestrator, sandbox};
use super::finding::Findings;
use crate::machine::Machine;

/// Parts of a group's path that only one runtime makes.
const PATH_PARTS: &[(&str, Claim, f64)] = &[
    ("/docker/", container("docker"), 0.95),
    ("/docker-", container("docker"), 0.95),
    ("/libpod-", container("podman"), 0.95),
    ("/libpod_parent", container("podman"), 0.9),
    ("/crio-", container("crio"), 0.95),
    ("/cri-containerd-", container("containerd"), 0.95),
    (":cri-containerd:", container("containerd"), 0.95),
    ("/lxc.payload", container("lxc"), 0.95),
    ("/lxc/", container("lxc"), 0.9),
    ("/machine.slice/systemd-nspawn@", container("nspawn"), 0.9),
    ("/lxc.monitor", container("lxc"), 0.7),
    ("/ecs/", container("docker"), 0.85),
    ("/ecs/", orchestrator("ecs"), 0.9),
    ("/nerdctl-", container("containerd"), 0.9),
    ("/NSJAIL.", container("nsjail"), 0.9),
    ("/firejail/", container("firejail"), 0.7),
    ("/rkt-", container("rkt"), 0.8),
    ("/garden/", container("garden"), 0.8),
    ("/kubepods", orchestrator("kubernetes"), 0.95),
    // Whatever runs in a pod is a container, whichever runtime made it.
    ("/kubepods", container(ANY), 0.9),
    ("/nomad/", orchestrator("nomad"), 0.8),
];

/// Reads `/proc/self/cgroup`.
#[derive(Debug)]
pub(super) struct Cgroups;

impl super::Detector for Cgroups {
    fn name(&self) -> &'static str {
        "cgroup"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        let would_tell = "the runtime's control group";
        // The first process is in the same container, or in none: the second best, where only it was kept.
        let read = ["/proc/self/cgroup", "/proc/1/cgroup"].into_iter().find_map(|source| {
            let text = findings.text(&machine.fs, source, would_tell)?;
            Some((source, text))
        });
        let Some((source, text)) = read else { return };
        let groups: Vec<(&str, &str)> = text.lines().filter_map(parse_line).collect();

        for (part, claim, weight) in PATH_PARTS {
            // A slash at the end, so that a part matches the last component too.
            if let Some((_, path)) = groups.iter().find(|(_, path)| format!("{path}/").contains(part)) {
                findings.support(*claim, *weight, source, path);
            }
        }
        // gVisor shows a controller that Linux does not have.
        if groups.iter().any(|(controllers, _)| *controllers == "job") {
            findings.support(sandbox("gvisor"), 0.9, source, "controller `job`");
        }
        if groups.iter().any(|(_, path)| path.starts_with("/../")) {
            findings.support(container(ANY), 0.6, source, "the group lies outside the cgroup namespace");
        }
        // That the first process is the host's says nothing of this one.
        let own = source == "/proc/self/cgroup";
        if let Some((_, path)) = groups.iter().find(|(_, path)| own && is_of_the_host(path)) {
            findings.oppose(container(ANY), 0.5, source, path);
        }
    }
}

/// Controllers and path of one line.
fn parse_line(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    path.starts_with('/').then_some((controllers, path))
}

/// Groups that systemd makes for services and sessions of the host.
fn is_of_the_host(path: &str) -> bool {
    let host =
        path.starts_with("/user.slice/") || path.starts_with("/system.slice/") || path == "/init.scope";
    let runtime = PATH_PARTS.iter().any(|(part, ..)| path.contains(part.trim_end_matches('/')));
    host && !runtime && !path.contains("/machine.slice/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_controllers_and_an_absolute_path() {
        assert_eq!(parse_line("4:memory:/docker/3039"), Some(("memory", "/docker/3039")));
        assert_eq!(parse_line("0::/"), Some(("", "/")));
        assert_eq!(parse_line("name=systemd"), None);
        assert_eq!(parse_line("1:cpu:relative"), None);
    }

    #[test]
    fn docker_as_a_service_of_the_host_is_no_container() {
        assert!(is_of_the_host("/system.slice/ssh.service"));
        assert!(!is_of_the_host("/system.slice/docker-3039aa.scope"));
    }
}
