//! What the collector costs: parsing beside other parsers, comparing fleets of growing size, scraping thousands of agents,
//! reading stores.
//!
//! `make bench-collector` (`bench collector`) writes its tables into `collector/BENCH.md`. Whatever has a peak of memory
//! runs in a process of its own, which is this program again.

mod child;
pub(crate) mod comparing;
mod parsing;
pub(crate) mod scraping;
pub(crate) mod serving;
pub(crate) mod stored;

pub(crate) use child::run as child;

use crate::table::Table;

/// All tables.
pub(crate) fn tables() -> anyhow::Result<Vec<Table>> {
    let mut tables = parsing::tables()?;
    tables.extend([comparing::table()?, scraping::table()?, stored::table()?]);
    Ok(tables)
}
