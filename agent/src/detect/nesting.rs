//! Containers in containers. Pure.
//!
//! Evidence names one container, the innermost. The path of a control group shows those around it as well, where no
//! cgroup namespace hides them: `/lxc.payload.build/docker/ID` is a Docker container inside one of LXC's.

use tierprobe_model::layer::UNNAMED;
use tierprobe_model::{Layer, LayerKind};

use super::identity::group_id;

/// How sure a layer is that the group's path shows: anyone who may make groups may name them.
const CONFIDENCE: f64 = 0.9;

const CGROUP: &str = "/proc/self/cgroup";

/// How one part of a path begins where a runtime made it, and the runtime's name.
const PARTS: &[(&str, &str)] = &[
    ("docker-", "docker"),
    ("libpod-", "podman"),
    ("crio-", "crio"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("lxc.payload.", "lxc"),
];

/// Directories in which a runtime keeps one group for each container.
const DIRECTORIES: &[(&str, &str)] =
    &[("docker", "docker"), ("libpod_parent", "podman"), ("lxc", "lxc"), ("lxc.payload", "lxc")];

/// One layer that a path shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    /// A container, by its runtime and, where the part is one, its id.
    Container(&'static str, Option<String>),
    /// The group of all pods of a node.
    Pods,
}

/// Puts the containers around the innermost one into the stack, and the orchestrator where it belongs among them.
pub(super) fn add_outer(stack: &mut Vec<Layer>, cgroup: Option<&str>) {
    let Some(levels) = levels(cgroup.unwrap_or_default()) else { return };
    let is_container = |level: &&Level| matches!(level, Level::Container(..));
    let Some(innermost) = stack.iter().position(|layer| layer.kind == LayerKind::Container) else { return };
    if levels.iter().filter(is_container).count() < 2 {
        return;
    }
    let innermost = stack.remove(innermost);
    let mut orchestrator = stack
        .iter()
        .position(|layer| layer.kind == LayerKind::Orchestrator)
        .map(|orchestrator| stack.remove(orchestrator));
    let mut outer = vec![innermost];
    for level in levels.into_iter().rev().skip_while(|level| *level == Level::Pods).skip(1) {
        match level {
            Level::Container(name, id) => outer.push(Layer {
                kind: LayerKind::Container,
                name: name.to_owned(),
                confidence: CONFIDENCE,
                id_source: id.is_some().then(|| CGROUP.to_owned()),
                id,
            }),
            Level::Pods => outer.extend(orchestrator.take()),
        }
    }
    outer.extend(orchestrator);
    stack.splice(0..0, outer);
}

/// The layers of the group's path, from the outermost inwards; `None` if the hierarchies disagree. A hierarchy that
/// was not delegated ends further out than the others: that is no disagreement.
fn levels(cgroup: &str) -> Option<Vec<Level>> {
    let mut deepest: Vec<Level> = Vec::new();
    for path in cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
        let levels = of_path(path);
        let (shorter, longer) =
            if levels.len() < deepest.len() { (levels, deepest) } else { (deepest, levels) };
        if !longer.starts_with(&shorter) {
            return None;
        }
        deepest = longer;
    }
    Some(deepest)
}

fn of_path(path: &str) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    // Below the pods, a group with an id is a container whichever runtime made it.
    let mut among_pods = false;
    while let Some(part) = parts.next() {
        if part.contains("kubepods") {
            // The systemd driver repeats the name in each group below.
            if levels.last() != Some(&Level::Pods) {
                levels.push(Level::Pods);
            }
            among_pods = true;
        } else if let Some((_, name)) = DIRECTORIES.iter().find(|(directory, _)| *directory == part) {
            // The directory alone is nobody's container.
            if let Some(id) = parts.next() {
                levels.push(Level::Container(name, group_id(id)));
                among_pods = false;
            }
        } else if let Some((_, name)) =
            PARTS.iter().find(|(start, _)| part.starts_with(start) && !part.contains("-conmon-"))
        {
            levels.push(Level::Container(name, group_id(part)));
            among_pods = false;
        } else if among_pods && let Some(id) = group_id(part) {
            levels.push(Level::Container(UNNAMED, Some(id)));
            among_pods = false;
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTER: &str = "a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f";
    const INNER: &str = "7d1c0b5e9f3a48266b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c";

    fn layer(kind: LayerKind, name: &str) -> Layer {
        Layer { kind, name: name.to_owned(), confidence: 0.9, id: None, id_source: None }
    }

    fn stack_with(cgroup: &str, runtime: &str, orchestrated: bool) -> Vec<String> {
        let mut stack = vec![layer(LayerKind::Container, runtime), layer(LayerKind::Vmm, "qemu")];
        if orchestrated {
            stack.insert(1, layer(LayerKind::Orchestrator, "kubernetes"));
        }
        add_outer(&mut stack, Some(cgroup));
        stack.into_iter().map(|layer| layer.name).collect()
    }

    #[test]
    fn the_path_shows_what_is_around_a_container() {
        let nested = |path: &str, runtime| stack_with(&format!("0::{path}\n"), runtime, false);
        assert_eq!(
            nested(&format!("/lxc.payload.build/docker/{INNER}"), "docker"),
            ["docker", "lxc", "qemu"]
        );
        assert_eq!(nested(&format!("/lxc/build/docker/{INNER}"), "docker"), ["docker", "lxc", "qemu"]);
        assert_eq!(
            nested(&format!("/docker/{OUTER}/docker/{INNER}"), "docker"),
            ["docker", "docker", "qemu"]
        );
        let scopes =
            format!("/system.slice/docker-{OUTER}.scope/machine.slice/libpod-{INNER}.scope/container");
        assert_eq!(nested(&scopes, "podman"), ["podman", "docker", "qemu"]);
    }

    #[test]
    fn an_orchestrator_stands_between_its_pods_and_what_it_runs_in() {
        let kind = format!("0::/docker/{OUTER}/kubelet/kubepods/burstable/podx/{INNER}\n");
        assert_eq!(stack_with(&kind, "containerd", true), ["containerd", "kubernetes", "docker", "qemu"]);
        let docker_in_pod = format!("0::/kubepods/burstable/podx/{OUTER}/docker/{INNER}\n");
        assert_eq!(stack_with(&docker_in_pod, "docker", true), ["docker", "unnamed", "kubernetes", "qemu"]);
    }

    #[test]
    fn one_container_is_one_layer() {
        for path in [
            format!("/docker/{INNER}"),
            format!("/kubepods/burstable/podx/{INNER}"),
            "/".to_owned(),
            "/docker".to_owned(),
        ] {
            let names = stack_with(&format!("0::{path}\n"), "docker", false);
            assert_eq!(names, ["docker", "qemu"], "{path}");
        }
    }

    #[test]
    fn hierarchies_that_disagree_show_nothing() {
        let two = format!("2:cpu:/lxc/a/docker/{INNER}\n1:pids:/docker/{OUTER}/docker/{INNER}\n");
        assert_eq!(stack_with(&two, "docker", false), ["docker", "qemu"]);
        let shorter = format!("2:cpu:/lxc/a\n1:pids:/lxc/a/docker/{INNER}\n0::/\n");
        assert_eq!(stack_with(&shorter, "docker", false), ["docker", "lxc", "qemu"]);
    }
}
