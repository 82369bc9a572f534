//! What every place gets: the agent, a shell, the peers, and the script that asks them all.
//!
//! The kit is a folder `kit` in a root file system that holds nothing else, so that the same tree is a container's
//! root, an image, or (with an `/init` more) a guest's. `systemd-detect-virt` comes with its libraries and the
//! loader, and so runs where there are none. `virt-what` is a shell script that needs half a distribution; it
//! is asked where the host's files are seen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tierprobe_agent::detect::detect;
use tierprobe_agent::export::tier_labels;
use tierprobe_agent::machine::Machine;
use tierprobe_model::Detection;
use tierprobe_tests::{binary, need};

use super::run;

/// Precedes what the agent says.
const MARKER: &str = "tierprobe-tests: the agent";

/// The agent comes last and by `exec`: in a container it is the first process, as it would be in service. Before it, a
/// bundle of the place, as a user would report a misdetection; a read-only root leaves few folders for it.
const PROBE: &str = r#"kit=${0%/*}
for option in "" -v -c; do
    [ -e "$kit/peer/ld.so" ] || continue
    word=$("$kit/peer/ld.so" --library-path "$kit/peer" "$kit/peer/systemd-detect-virt" $option 2>/dev/null)
    echo "systemd-detect-virt$option=$word"
done
if [ -x /usr/sbin/virt-what ]; then
    words=$(/usr/sbin/virt-what 2>/dev/null </dev/null)
    echo "virt-what="$words
fi
for folder in /dev/shm /dev /tmp; do
    [ -w "$folder" ] || continue
    bundle=$folder/tierprobe-tests-$$
    if TMPDIR=$folder "$kit/agent" bundle "$bundle" >/dev/null; then
        echo "bundle=$("$kit/busybox" gzip -c "$bundle" | "$kit/busybox" base64 | "$kit/busybox" tr -d '\n')"
    fi
    "$kit/busybox" rm -f "$bundle"
    break
done
echo "tierprobe-tests: the agent"
exec "$kit/agent" detect --format json
"#;

/// How long all of them may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What was said in one place.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) detection: Detection,
    /// Peers by name and option, with the one line that they said.
    pub(crate) peers: Vec<(String, String)>,
    /// The place as `bundle` wrote it, compressed and in letters.
    bundle: Option<String>,
}

impl Said {
    /// Reads what the script wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.replace('\r', "");
        let (before, after) = text.split_once(MARKER).ok_or_else(|| format!("no {MARKER:?} in {text:?}"))?;
        let mut documents = serde_json::Deserializer::from_str(after).into_iter::<Detection>();
        let detection = match documents.next() {
            Some(Ok(detection)) => detection,
            Some(Err(error)) => return Err(format!("{error} in {after:?}")),
            None => return Err("the agent said nothing".to_owned()),
        };
        let peers = before
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter(|(name, _)| name.starts_with("systemd-detect-virt") || *name == "virt-what");
        let peers = peers.map(|(name, said)| (name.to_owned(), said.trim().to_owned())).collect();
        let bundle = before.lines().find_map(|line| line.strip_prefix("bundle=")).map(str::to_owned);
        Ok(Self { detection, peers, bundle })
    }

    /// Unpacks the bundle as a user would and detects in it: how that differs from the verdict in the place.
    pub(crate) fn bundle_complaint(&self) -> Option<String> {
        let Some(letters) = &self.bundle else { return Some("the place gave no bundle".to_owned()) };
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("letters"), letters).unwrap();
        let script = "cd \"$1\" && base64 -d letters | tar xzf -";
        let unpacked = run::output(Command::new("sh").args(["-c", script, "sh"]).arg(folder.path()), LIMIT);
        match unpacked {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Some(format!("the bundle cannot be unpacked: {}", output.complaint())),
            Err(why) => return Some(why),
        }
        let cpuid = Some(path("cpuid.toml")).filter(|file| file.exists());
        let machine =
            Machine::fixture(&path("root"), cpuid.as_deref(), Some(std::env::consts::ARCH)).unwrap();
        let found = detect(&machine);
        let (here, there) = (tier_labels(&self.detection), tier_labels(&found));
        (here != there).then(|| format!("the bundle gives {there:?} instead of {here:?}"))
    }

    /// What a peer said; `None` if it could not be asked.
    pub(crate) fn peer(&self, name: &str) -> Option<&str> {
        self.peers.iter().find(|(peer, _)| peer == name).map(|(_, said)| said.as_str())
    }
}

/// The kit, and what all cases of a run share.
#[derive(Debug)]
pub(crate) struct Lab {
    folder: TempDir,
    /// In the name of whatever is made.
    pub(crate) run: String,
    /// What the agent says of the machine as it is.
    pub(crate) host: Detection,
}

impl Lab {
    /// Collects the kit and asks the agent outside.
    pub(crate) fn new() -> Self {
        let run = format!("tierprobe-detection-{}", std::process::id());
        let folder = tempfile::Builder::new().prefix(&format!("{run}-")).tempdir().unwrap();
        let host = tierprobe_tests::agent::output(&["detect", "--format", "json"]);
        let lab = Self { folder, run, host: serde_json::from_str(&host).unwrap() };
        for name in ["dev", "proc", "sys", "tmp", "kit/peer"] {
            fs::create_dir_all(lab.root().join(name)).unwrap();
        }
        let kit = lab.kit();
        binary::copy(binary::agent(), &kit.join("agent"));
        binary::copy(&need::find("busybox").unwrap(), &kit.join("busybox"));
        fs::write(kit.join("probe"), PROBE).unwrap();
        if let Some(peer) = need::find("systemd-detect-virt") {
            copy_with_libraries(&peer, &kit.join("peer"));
        }
        lab
    }

    /// A path of its own in the run's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A root file system with the kit in it.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// The kit's folder.
    pub(crate) fn kit(&self) -> PathBuf {
        self.root().join("kit")
    }

    /// Lets every user of the machine reach the kit.
    pub(crate) fn open_to_all(&self) {
        fs::set_permissions(self.folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    }

    /// The command line that asks everybody, where the kit is at `kit`.
    pub(crate) fn probe(kit: &Path) -> [String; 3] {
        ["busybox", "sh", "probe"].map(|word| match word {
            "sh" => word.to_owned(),
            file => kit.join(file).display().to_string(),
        })
    }

    /// Runs a command that ends in [`Lab::probe`].
    pub(crate) fn ask(command: &mut Command) -> Result<Said, String> {
        let output = run::output(command, LIMIT)?;
        if !output.status.success() {
            return Err(output.complaint());
        }
        Said::parse(&output.stdout)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        run::remove_control_groups(&self.run);
    }
}

/// Copies a program, its libraries, and as `ld.so` the loader that brings them together.
fn copy_with_libraries(program: &Path, folder: &Path) {
    binary::copy(program, &folder.join(program.file_name().unwrap()));
    copy_libraries(program, |library| {
        let name = library.file_name().unwrap().to_str().unwrap();
        folder.join(if name.starts_with("ld-") { "ld.so" } else { name })
    });
}

/// Copies a program's libraries to where `target` says.
pub(crate) fn copy_libraries(program: &Path, target: impl Fn(&Path) -> PathBuf) {
    let listed = run::output(Command::new("ldd").arg(program), LIMIT).unwrap().stdout;
    let files = listed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    for file in files.map(Path::new) {
        let target = target(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
}
