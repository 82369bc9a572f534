//! A comparison as people and programs read it.
//!
//! - [`table`]: for the terminal, 80 columns, readable without colour.
//! - [`markdown`]: for a page or a ticket.
//! - [`json`]: for programs.
//! - [`name`], [`figure`] and [`note`]: what the first two share.

pub mod figure;
pub mod json;
pub mod markdown;
pub mod name;
pub mod note;
pub mod table;

use crate::compare::Comparison;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For the terminal.
    Table,
    /// For a page or a ticket.
    Markdown,
    /// For programs.
    Json,
}

/// The comparison in one of the forms; ends with a line feed.
///
/// # Errors
///
/// Those of writing JSON, none in practice.
pub fn render(comparison: &Comparison, format: Format) -> Result<String, serde_json::Error> {
    match format {
        Format::Table => Ok(table::render(comparison)),
        Format::Markdown => Ok(markdown::render(comparison)),
        Format::Json => json::render(comparison),
    }
}
