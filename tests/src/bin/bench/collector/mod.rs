//! What the collector costs: parsing beside other parsers, comparing fleets of growing size.
//!
//! `make bench-collector` (`bench collector`) writes its tables into `collector/BENCH.md`. Whatever has a peak of memory
//! runs in a process of its own, which is this program again.

mod child;
mod comparing;
mod parsing;

pub(crate) use child::run as child;

use crate::table::Table;

/// All tables.
pub(crate) fn tables() -> anyhow::Result<Vec<Table>> {
    let mut tables = parsing::tables()?;
    tables.push(comparing::table()?);
    Ok(tables)
}
