//! A table of figures, ours beside theirs.

use std::fmt::Write as _;

/// A titled table.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self { title: title.into(), columns: columns.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row, and tells the terminal.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<String>>) {
        let cells = cells.into();
        eprintln!("  {}", cells.join("  |  "));
        self.rows.push(cells);
    }

    /// Adds a line below the table, once.
    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n", self.title);
        let line = |text: &mut String, cells: &[&str]| {
            let _infallible = writeln!(text, "| {} |", cells.join(" | "));
        };
        line(&mut text, &self.columns);
        let rules: Vec<&str> =
            (0..self.columns.len()).map(|column| if column == 0 { "---" } else { "---:" }).collect();
        line(&mut text, &rules);
        for row in &self.rows {
            line(&mut text, &row.iter().map(String::as_str).collect::<Vec<_>>());
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            let _infallible = writeln!(text, "- {note}.");
        }
        text
    }
}

/// The median, by nearest rank.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 50)
}

/// A quantile in hundredths, by nearest rank; NaN of nothing.
pub(crate) fn quantile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * hundredths).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}
