//! `bundle` as a user meets it, on the machine that the test runs on.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test starts the program and fails by panicking"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tierprobe_model::Detection;

fn agent(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tierprobe-agent")).args(arguments).output().unwrap()
}

fn detection(arguments: &[&str]) -> Detection {
    let output = agent(&[&["detect", "--format", "json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a run that must fail said.
fn refused(arguments: &[&str]) -> String {
    let output = agent(arguments);
    assert!(!output.status.success(), "{arguments:?} was accepted");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_bundle_of_this_machine_gives_this_machines_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.tar");
    let output = agent(&["bundle", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("root/proc/cmdline") && said.contains("look at it"), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [Path::new("host.tar").as_os_str()], "something was left behind");

    let unpacked = folder.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    assert!(Command::new("tar").arg("xf").arg(&file).arg("-C").arg(&unpacked).status().unwrap().success());
    let (root, cpuid) = (unpacked.join("root"), unpacked.join("cpuid.toml"));
    let mut flags = vec!["--path.rootfs", root.to_str().unwrap()];
    if cpuid.exists() {
        flags.extend(["--cpuid", cpuid.to_str().unwrap()]);
    }
    let (live, there) = (detection(&[]), detection(&flags));
    let names = |found: &Detection| {
        found.stack.iter().map(|layer| (layer.kind, layer.name.clone())).collect::<Vec<_>>()
    };
    assert_eq!((there.tier, there.kernel, names(&there)), (live.tier, live.kernel, names(&live)));
    assert_eq!((there.roles, there.isolation.no_new_privs), (live.roles, live.isolation.no_new_privs));
}

#[test]
fn a_bundle_overwrites_only_what_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.tar");
    let path = file.to_str().unwrap();
    fs::write(&file, "mine").unwrap();
    assert!(refused(&["bundle", path]).contains("--force"));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert!(agent(&["bundle", "--force", path]).status.success());
    assert!(fs::metadata(&file).unwrap().len() > 1024);

    let link = folder.path().join("link");
    symlink(&file, &link).unwrap();
    for path in
        [link.to_str().unwrap(), folder.path().to_str().unwrap(), "/nowhere/host.tar", "/", "/dev/null"]
    {
        for arguments in [&["bundle", path][..], &["bundle", "--force", path]] {
            let said = refused(arguments);
            assert!(said.contains(path), "{said}");
        }
    }
}
