//! Sockets of container engines. Who may write to one starts containers with any privileges, on the host.
//!
//! Existence and permission only; nothing is connected to.

use tierprobe_model::Isolation;
use tierprobe_model::isolation::EngineSocket;

use super::Reader;

/// Engines and where their sockets are, below the folders where sockets live.
const SOCKETS: &[(&str, &str)] = &[
    ("docker", "docker.sock"),
    ("containerd", "containerd/containerd.sock"),
    ("containerd", "k3s/containerd/containerd.sock"),
    ("podman", "podman/podman.sock"),
    ("crio", "crio/crio.sock"),
];

/// One is a link to the other on most systems, but not in every image.
const FOLDERS: &[&str] = &["/run", "/var/run"];

/// Looks for sockets.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    if !FOLDERS.iter().any(|folder| reader.fs.exists(folder) == Ok(true)) {
        return;
    }
    let mut found = Vec::new();
    for (engine, name) in SOCKETS {
        let mut paths = FOLDERS.iter().map(|folder| format!("{folder}/{name}"));
        let path = paths.find(|path| {
            let exists = reader.fs.exists(path);
            reader.known(path, exists) == Some(true)
        });
        if let Some(path) = path {
            let writable = reader.fs.is_writable(&path);
            let writable = reader.known(&path, writable).flatten();
            found.push(EngineSocket { engine: (*engine).to_owned(), path, writable });
        }
    }
    isolation.engine_sockets = Some(found);
}
