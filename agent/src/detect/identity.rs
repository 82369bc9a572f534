//! Which container of its kind this is, and which pod. Pure.
//!
//! No id is better than a wrong one. The control group names the container itself. The mounts name whichever
//! container the files were made for: under Kubernetes the pod's sandbox, so there they are not asked.

use tierprobe_model::{Layer, LayerKind};

/// Where ids stand.
const CGROUP: &str = "/proc/self/cgroup";
const MOUNTS: &str = "/proc/self/mountinfo";

/// What stands before the id in the name of a group. `crio-conmon-…` and the like are groups of helpers.
const GROUP_PREFIXES: &[&str] = &["", "docker-", "libpod-", "crio-", "cri-containerd-", "nerdctl-"];

/// Mounts that are made for one container: the point that is looked at, and what stands before the id. Podman
/// shares `/etc` within a pod, but not `/run/.containerenv`.
const MOUNT_SOURCES: &[(&str, &str)] =
    &[("/etc/hostname", "/docker/containers/"), ("/run/.containerenv", "/overlay-containers/")];

/// Gives the container and the pod in the stack their ids, as far as the texts show them for certain.
pub(super) fn name(stack: &mut [Layer], cgroup: Option<&str>, mounts: Option<&str>) {
    let (cgroup, mounts) = (cgroup.unwrap_or_default(), mounts.unwrap_or_default());
    let kubernetes = stack.iter().any(|layer| layer.kind == LayerKind::Orchestrator)
        || cgroup.contains("kubepods")
        || mounts.contains("/kubelet/pods/");
    for layer in stack {
        let found = match layer.kind {
            LayerKind::Container => container_in_cgroup(cgroup)
                .map(|id| (id, CGROUP))
                .or_else(|| container_in_mounts(mounts).filter(|_| !kubernetes).map(|id| (id, MOUNTS))),
            LayerKind::Orchestrator if layer.name == "kubernetes" => pod_in_cgroup(cgroup)
                .map(|id| (id, CGROUP))
                .or_else(|| pod_in_mounts(mounts).map(|id| (id, MOUNTS))),
            LayerKind::Orchestrator
            | LayerKind::Sandbox
            | LayerKind::Vmm
            | LayerKind::Hypervisor
            | LayerKind::Cloud => None,
        };
        if let Some((id, source)) = found {
            layer.id = Some(id);
            layer.id_source = Some(source.to_owned());
        }
    }
}

/// The innermost id of the group's path; nothing if the hierarchies disagree.
fn container_in_cgroup(cgroup: &str) -> Option<String> {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    only(paths.filter_map(|path| path.rsplit('/').find_map(group_id)))
}

pub(super) fn group_id(part: &str) -> Option<String> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    // containerd's systemd driver: `kubepods-….slice:cri-containerd:ID`.
    let part = part.rsplit_once(":cri-containerd:").map_or(part, |(_, id)| id);
    let id = GROUP_PREFIXES.iter().filter_map(|prefix| part.strip_prefix(prefix)).find(|id| is_id(id))?;
    Some(id.to_owned())
}

fn container_in_mounts(mounts: &str) -> Option<String> {
    only(mount_pairs(mounts).filter_map(|(root, point)| {
        let (_, part) = MOUNT_SOURCES.iter().find(|(known, part)| point == *known && root.contains(part))?;
        let (_, rest) = root.rsplit_once(part)?;
        rest.split('/').next().filter(|id| is_id(id)).map(str::to_owned)
    }))
}

fn pod_in_cgroup(cgroup: &str) -> Option<String> {
    only(cgroup.lines().filter_map(|line| {
        line.split_once("kubepods")?.1.split('/').rev().find_map(|part| {
            let part = part.split(':').next()?.trim_end_matches(".slice");
            let (_, uid) = part.rsplit_once("pod")?;
            // systemd keeps the dash for its own hierarchy.
            Some(uid.replace('_', "-")).filter(|uid| is_pod_uid(uid))
        })
    }))
}

fn pod_in_mounts(mounts: &str) -> Option<String> {
    only(
        mount_pairs(mounts)
            .filter(|(_, point)| point.starts_with("/etc/") || point.starts_with("/dev/"))
            .filter_map(|(root, _)| {
                let (_, rest) = root.split_once("/kubelet/pods/")?;
                rest.split('/').next().filter(|uid| is_pod_uid(uid)).map(str::to_owned)
            }),
    )
}

/// Root and point of each mount.
fn mount_pairs(mounts: &str) -> impl Iterator<Item = (&str, &str)> {
    mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(3);
        Some((fields.next()?, fields.next()?))
    })
}

/// The value, if all are the same.
fn only(mut values: impl Iterator<Item = String>) -> Option<String> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// 64 hexadecimal digits; ECS has 32 and a decimal number.
fn is_id(text: &str) -> bool {
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_ecs = |(hex, number): (&str, &str)| {
        is_hex(hex, 32) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_hex(text, 64) || text.split_once('-').is_some_and(is_ecs)
}

/// An UUID; of pods that the node itself defines, the 32 digits of a hash.
fn is_pod_uid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    digits == 32 && (text.len() == 32 || (text.len() == 36 && text.split('-').count() == 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3039aa11bb22cc33dd44ee55ff6600773039aa11bb22cc33dd44ee55ff660077";
    const OTHER: &str = "11323f02e4f205165b9719645b602915dab2f979ac5ca5410b992bf6e248d683";
    const POD: &str = "5b1f0a6e-3c7d-4e58-9a21-6f0d8e2c4b17";

    #[test]
    fn each_runtime_writes_its_id_in_its_own_way() {
        for path in [
            format!("/docker/{ID}"),
            format!("/system.slice/docker-{ID}.scope"),
            format!("/machine.slice/libpod-{ID}.scope/container"),
            format!("/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope"),
            format!("/kubepods/burstable/pod{POD}/{ID}"),
            format!("/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:{ID}"),
            format!("/docker/{OTHER}/docker/{ID}"),
        ] {
            assert_eq!(container_in_cgroup(&format!("0::{path}\n")).as_deref(), Some(ID), "{path}");
        }
        assert_eq!(container_in_cgroup(&format!("0::/crio-conmon-{ID}.scope")), None);
        assert_eq!(container_in_cgroup("0::/"), None);
        assert_eq!(container_in_cgroup(&format!("2:cpu:/docker/{ID}\n1:pids:/docker/{OTHER}")), None);
    }

    #[test]
    fn the_sandbox_of_a_pod_is_never_taken_for_the_container() {
        let mounts = format!(
            "1 1 8:1 /var/lib/docker/containers/{OTHER}/hostname /etc/hostname rw - ext4 /dev/vda rw\n\
             2 1 8:1 /var/lib/kubelet/pods/{POD}/etc-hosts /etc/hosts rw - ext4 /dev/vda rw\n"
        );
        let layer = |kind, name: &str| Layer {
            kind,
            name: name.to_owned(),
            confidence: 0.9,
            id: None,
            id_source: None,
        };
        let mut stack = [layer(LayerKind::Container, "docker"), layer(LayerKind::Orchestrator, "kubernetes")];
        name(&mut stack, Some("0::/"), Some(&mounts));
        assert_eq!(stack[0].id, None);
        assert_eq!(stack[1].id.as_deref(), Some(POD));
        // The mounts alone tell that this is a pod, too.
        let mut stack = [layer(LayerKind::Container, "docker")];
        name(&mut stack, None, Some(&mounts));
        assert_eq!(stack[0].id, None);
    }

    #[test]
    fn a_pod_is_found_with_either_driver() {
        let systemd = POD.replace('-', "_");
        for path in [
            format!("/kubepods/burstable/pod{POD}/{ID}"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{systemd}.slice/crio-{ID}.scope"
            ),
        ] {
            assert_eq!(pod_in_cgroup(&format!("0::{path}")).as_deref(), Some(POD), "{path}");
        }
    }
}
