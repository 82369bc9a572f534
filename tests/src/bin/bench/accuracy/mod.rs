//! The agent's numbers beside the reference tool of their kind, on the same CPU in the same minute, in turns.

mod boot;
mod load;
mod ours;
mod place;
mod rows;
mod tools;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use tierprobe_model::Unit;

use self::ours::{Figure, Ours};
use self::place::{Place, told};
use crate::table::{Table, median};

/// Repeats of each row.
const REPEATS: usize = 5;

/// How both sides are started.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// On one CPU.
    Pinned,
    /// On two, of which each side takes one for each end.
    OnBoth,
    /// On one, ours beside a thread that wakes now and then.
    BesideASleeper,
    /// The same with ours as a real-time thread.
    Realtime,
}

/// One figure of ours and its reference.
struct Row<'a> {
    figure: &'static str,
    reference: &'static str,
    ours: Ours<'a>,
    start: Start,
    /// Largest difference from 1 of the ratio's median.
    goal: f64,
    /// What the two do differently, as far as they do.
    differs: &'static str,
    theirs: Theirs<'a>,
}

/// Where the reference's figure comes from.
#[derive(Clone, Copy)]
enum Theirs<'a> {
    /// From the reference, after ours.
    Alone(&'a dyn Fn() -> anyhow::Result<f64>),
    /// From the same rounds or the same boot as ours, which comes first.
    Together(&'a dyn Fn() -> anyhow::Result<(f64, f64)>),
}

/// What the rows need to know.
struct Site<'a> {
    agent: &'a Path,
    reference: &'a Path,
    place: Place,
    directory: &'a Path,
    /// A regular file on a tmpfs.
    on_tmpfs: &'a Path,
}

impl Site<'_> {
    /// One of our own references, in a process of its own, on the CPU.
    fn reference(&self, arguments: &[&str]) -> anyhow::Result<f64> {
        let text = told(self.place.pinned(self.reference).args(arguments))?;
        text.trim().parse().with_context(|| format!("reference {arguments:?} printed {text:?}"))
    }

    /// Both figures of a row.
    fn pair(&self, row: &Row<'_>) -> anyhow::Result<(f64, f64)> {
        let theirs = match row.theirs {
            Theirs::Together(both) => return both(),
            Theirs::Alone(theirs) => theirs,
        };
        let mut agent = match row.start {
            Start::Pinned | Start::BesideASleeper => self.place.pinned(self.agent),
            Start::OnBoth => self.place.on_both(self.agent),
            Start::Realtime => load::realtime(self.place, self.agent),
        };
        let mut ours = || row.ours.measure(&mut agent, self.directory);
        let ours = match row.start {
            Start::Pinned | Start::OnBoth => ours(),
            Start::BesideASleeper | Start::Realtime => load::beside_a_sleeper(self.place, ours),
        };
        Ok((ours?, theirs()?))
    }
}

/// The ratios of each probe in words.
pub(crate) type Ratios = BTreeMap<String, Vec<String>>;

/// All rows. Fails at the end if one could not be measured.
pub(crate) fn compare(agent: &Path, reference: &Path) -> anyhow::Result<(Table, Ratios)> {
    let place = Place::choose()?;
    let cpu = place.cpu;
    eprintln!("The agent's numbers beside their references, on CPU {cpu}, medians of {REPEATS} pairs:");
    let mut table = Table::new(
        format!("Beside the reference tools, medians of {REPEATS} pairs on one CPU"),
        &["figure", "reference", "tierprobe-agent", "reference", "ratio", "of the five", "goal"],
    );
    let directory = tempfile::tempdir_in("/var/tmp").context("/var/tmp")?;
    let on_tmpfs = tempfile::NamedTempFile::new_in("/dev/shm").context("/dev/shm")?;
    let agent = agent.canonicalize().with_context(|| agent.display().to_string())?;
    let (directory, on_tmpfs) = (directory.path(), on_tmpfs.path());
    let site = Site { agent: &agent, reference, place, directory, on_tmpfs };
    let (mut failures, mut ratios) = (Vec::new(), Ratios::new());
    rows::each(&site, &mut |row| {
        let pairs: anyhow::Result<Vec<(f64, f64)>> =
            (0..REPEATS * row.ours.turns).map(|_| site.pair(row)).collect();
        match pairs {
            Ok(pairs) => {
                let cells = cells(row, &pairs);
                let ratio = format!("{} against {} {}", row.figure, row.reference, cells[RATIO]);
                ratios.entry(row.ours.probe.to_owned()).or_default().push(ratio);
                table.row(cells);
            }
            Err(error) => {
                let absent = || "-".to_owned();
                let cells = [absent(), absent(), absent(), absent(), "not measured".to_owned()];
                let names = [row.figure.to_owned(), row.reference.to_owned()];
                table.row(names.into_iter().chain(cells).collect::<Vec<_>>());
                failures.push(format!("{}: {error:#}", row.figure));
            }
        }
        if !row.differs.is_empty() {
            table.note(format!("{}: {}", row.figure, row.differs));
        }
    });
    ensure!(failures.is_empty(), "not measured:\n  {}", failures.join("\n  "));
    Ok((table, ratios))
}

/// The column of the ratio.
const RATIO: usize = 4;

fn cells(row: &Row<'_>, pairs: &[(f64, f64)]) -> [String; 7] {
    let mut ours: Vec<f64> = pairs.iter().map(|(ours, _)| *ours).collect();
    let mut theirs: Vec<f64> = pairs.iter().map(|(_, theirs)| *theirs).collect();
    let ratio_of = |turns: &[(f64, f64)]| {
        median(&mut turns.iter().map(|(ours, theirs)| ours / theirs).collect::<Vec<f64>>())
    };
    let mut ratios: Vec<f64> = pairs.chunks(row.ours.turns).map(ratio_of).collect();
    let unit = Unit::of_family(row.ours.family);
    let ratio = ratio_of(pairs);
    ratios.sort_by(f64::total_cmp);
    let (low, high) =
        (ratios.first().copied().unwrap_or(f64::NAN), ratios.last().copied().unwrap_or(f64::NAN));
    let met = if (ratio - 1.0).abs() <= row.goal { "met" } else { "not met" };
    [
        row.figure.to_owned(),
        row.reference.to_owned(),
        unit.human(median(&mut ours)),
        unit.human(median(&mut theirs)),
        format!("{ratio:.3}"),
        format!("{low:.2} to {high:.2}"),
        format!("{:.0} %, {met}", row.goal * 100.0),
    ]
}
