//! A comparison as people and programs read it.
//!
//! - [`table`]: for the terminal, 80 columns, readable without colour.
//! - [`markdown`]: for a ticket.
//! - [`html`]: one page with everything, for people who decide.
//! - [`json`] and [`csv`]: for programs and spreadsheets.
//! - [`name`], [`figure`] and [`note`]: what those for people share.

pub mod csv;
pub mod figure;
pub mod html;
pub mod json;
pub mod markdown;
pub mod name;
pub mod note;
pub mod table;
#[cfg(test)]
mod tests;

use crate::compare::{Comparison, Options};
use crate::dataset::Dataset;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For the terminal.
    Table,
    /// For a ticket.
    Markdown,
    /// One page with charts, which needs nothing else.
    Html,
    /// For programs.
    Json,
    /// One line a row, for spreadsheets.
    Csv,
}

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The comparison.
    pub comparison: &'a Comparison,
    /// What was compared: the page shows hosts and rounds, too.
    pub dataset: &'a Dataset,
    /// How it was compared.
    pub options: &'a Options,
    /// What whoever measured has to say beside it, a sentence each.
    pub notes: &'a [String],
    /// After how many seconds a browser asks for the page again; `None` for a page that stays as it is.
    pub refresh_seconds: Option<u32>,
}

impl<'a> Input<'a> {
    /// A report that stays as it is, with nothing beside it.
    #[must_use]
    pub const fn new(comparison: &'a Comparison, dataset: &'a Dataset, options: &'a Options) -> Self {
        Self { comparison, dataset, options, notes: &[], refresh_seconds: None }
    }
}

/// A report in one of the forms; ends with a line feed.
///
/// # Errors
///
/// Those of writing JSON or CSV, none in practice.
pub fn render(input: &Input<'_>, format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Table => table::render(input.comparison),
        Format::Markdown => markdown::render(input.comparison),
        Format::Html => html::page(input),
        Format::Json => json::render(input.comparison)?,
        Format::Csv => csv::render(input.comparison)?,
    })
}
