//! A table of figures, ours beside theirs.

use std::fmt::Write as _;

/// A titled table.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    columns: [&'static str; 4],
    rows: Vec<[String; 4]>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(title: impl Into<String>, columns: [&'static str; 4]) -> Self {
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    /// Adds a row, and tells the terminal.
    pub(crate) fn row(&mut self, cells: [String; 4]) {
        eprintln!("  {}", cells.join("  |  "));
        self.rows.push(cells);
    }

    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n", self.title);
        let line = |text: &mut String, cells: &[&str]| {
            let _infallible = writeln!(text, "| {} |", cells.join(" | "));
        };
        line(&mut text, &self.columns);
        line(&mut text, &["---", "---:", "---:", "---:"]);
        for row in &self.rows {
            line(&mut text, &row.each_ref().map(String::as_str));
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
