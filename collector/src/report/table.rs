//! The comparison for the terminal: 80 columns, readable without colour.

use super::{figure, name, note};
use crate::compare::{Block, Compared, Comparison, Row};
use crate::printable::printable;

/// Columns of a terminal that nobody has resized.
const COLUMNS: usize = 80;
/// With so many columns for the names of rows, groups keep their names above their columns.
const ENOUGH_FOR_NAMES: usize = 24;

/// The comparison as text; ends with a line feed.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    let mut lines = Vec::new();
    for block in &comparison.blocks {
        lines.extend(wrapped("", &heading(comparison, block)));
        lines.push(String::new());
        let shown: Vec<Row> = block.rows.iter().filter(|row| note::is_shown(row)).cloned().collect();
        lines.extend(body(comparison, block, &shown));
        lines.push(String::new());
        lines.extend(note::disturbed(comparison, block).iter().flat_map(|line| wrapped("  ", line)));
        let names: Vec<String> = block.rows.iter().map(|row| name::full(&row.key)).collect();
        let notes = note::of_block(comparison, block, &names);
        lines.extend(notes.iter().flat_map(|note| wrapped("! ", note)));
        if !notes.is_empty() {
            lines.push(String::new());
        }
    }
    let notes = note::of_comparison(comparison);
    lines.extend(notes.iter().flat_map(|note| wrapped("! ", note)));
    lines.extend(
        note::legend(comparison, "clean rounds of the side with fewer")
            .iter()
            .flat_map(|line| wrapped("  ", line)),
    );
    lines.join("\n") + "\n"
}

/// `vm against container_in_vm: 14 and 22 instances, 24 h, 95 % intervals`, and `2 of 14` where the others are left out.
pub(super) fn heading(comparison: &Comparison, block: &Block) -> String {
    let (baseline, candidate) = (&comparison.baseline, &block.candidate);
    let Compared { baseline: ours, candidate: theirs } = block.compared;
    let hosts = if (ours.hosts, theirs.hosts) == (ours.instances, theirs.instances) {
        String::new()
    } else {
        format!(" on {} and {} hosts", ours.hosts, theirs.hosts)
    };
    format!(
        "{} against {}: {} and {} instances{hosts}, {}, 95 % intervals",
        baseline.group,
        candidate.group,
        figure::of(ours.instances, baseline.instances),
        figure::of(theirs.instances, candidate.instances),
        figure::span(block.window_seconds)
    )
}

/// The cells of a line, the name aside.
struct Cells {
    n: String,
    baseline: String,
    candidate: String,
    effect: String,
    verdict: String,
}

fn body(comparison: &Comparison, block: &Block, rows: &[Row]) -> Vec<String> {
    if rows.is_empty() {
        return vec!["(no row has a value on both sides)".to_owned()];
    }
    let cells: Vec<Cells> = rows
        .iter()
        .map(|row| Cells {
            n: figure::fewest_rounds(row),
            baseline: figure::median(row, row.baseline.median),
            candidate: figure::median(row, row.candidate.median),
            effect: figure::effect(row),
            verdict: figure::verdict(row),
        })
        .collect();
    let groups = (printable(&comparison.baseline.group), printable(&block.candidate.group));
    let named = Layout::of(&cells, (&groups.0, &groups.1));
    let fits = |row: &Row| printable(&name::full(&row.key)).chars().count() <= named.name;
    // The heading says which is which, so long names of groups need not stand above their columns.
    let layout = if named.name >= ENOUGH_FOR_NAMES || rows.iter().all(fits) {
        named
    } else {
        Layout::of(&cells, ("baseline", "candidate"))
    };
    let names = name::of_rows(rows, layout.name);
    let mut lines = vec![layout.header()];
    for (name, cells) in names.iter().zip(&cells) {
        let name = printable(name);
        if name.chars().count() > layout.name {
            lines.extend(wrapped("", &name));
            lines.push(layout.line("", cells));
        } else {
            lines.push(layout.line(&name, cells));
        }
    }
    lines
}

/// Widths of the columns.
struct Layout<'a> {
    name: usize,
    n: usize,
    baseline: usize,
    candidate: usize,
    effect: usize,
    groups: (&'a str, &'a str),
}

impl<'a> Layout<'a> {
    fn of(cells: &[Cells], groups: (&'a str, &'a str)) -> Self {
        let widest = |head: &str, text: fn(&Cells) -> &String| {
            cells.iter().map(|cells| text(cells).chars().count()).max().unwrap_or(0).max(head.chars().count())
        };
        let n = widest("n", |cells| &cells.n);
        let baseline = widest(groups.0, |cells| &cells.baseline);
        let candidate = widest(groups.1, |cells| &cells.candidate);
        let effect = widest("ratio", |cells| &cells.effect);
        let verdict = widest("", |cells| &cells.verdict);
        // Two blanks before each column, one before n and one before the verdict.
        let others = n + 1 + baseline + 2 + candidate + 2 + effect + 2 + verdict + 1;
        Self { name: COLUMNS.saturating_sub(others), n, baseline, candidate, effect, groups }
    }

    fn header(&self) -> String {
        self.line(
            "cost",
            &Cells {
                n: "n".to_owned(),
                baseline: self.groups.0.to_owned(),
                candidate: self.groups.1.to_owned(),
                effect: "ratio".to_owned(),
                verdict: String::new(),
            },
        )
    }

    fn line(&self, name: &str, cells: &Cells) -> String {
        let Self { name: names, n, baseline, candidate, effect, .. } = self;
        let line = format!(
            "{name:<names$} {:>n$}  {:>baseline$}  {:>candidate$}  {:<effect$} {}",
            cells.n, cells.baseline, cells.candidate, cells.effect, cells.verdict
        );
        line.trim_end().to_owned()
    }
}

/// Text in lines of at most [`COLUMNS`]: `mark` before the first one, as many blanks before the others.
fn wrapped(mark: &str, text: &str) -> Vec<String> {
    let text = printable(text);
    let indent = " ".repeat(mark.chars().count());
    let mut lines = Vec::new();
    let mut line = mark.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let fits = line.chars().count() + usize::from(!is_empty) + word.chars().count() <= COLUMNS;
        if !is_empty && !fits {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        is_empty = false;
        line.push_str(word);
        // Only a word without blanks, such as an address, is longer than a line: it is cut over lines.
        while line.chars().count() > COLUMNS {
            let rest: String = line.chars().skip(COLUMNS).collect();
            lines.push(line.chars().take(COLUMNS).collect());
            line = format!("{indent}{rest}");
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
pub(in crate::report) mod tests;
