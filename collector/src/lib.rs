//! Compares what tiers cost, from live agents or from their records, with honest statistics.
//!
//! Data flows one way, each part knows only those above it:
//!
//! - [`exposition`]: the Prometheus text format.
//! - [`observation`]: what every source yields.
//! - [`http`]: how agents, stores and lists of targets are asked.
//! - [`source`]: agents, records and saved scrapes into observations.
//! - [`dataset`]: observations by instance and series; hosts and their values.
//! - [`stats`]: intervals, tests and corrections; pure, closed forms.
//! - [`compare`]: a baseline against each other group, row by row; [`verdict`] and [`warning`] are its words.
//! - [`report`]: a comparison as table, Markdown, page, JSON or CSV.
//! - [`rules`]: recording rules.
//! - [`duration`], [`date`], [`output`], [`printable`]: spans of time as users write them, points in time as they read
//!   them, where a report goes, and what of strangers' text people see.
//! - [`lab`]: the same agent in every tier that this machine can run.
//! - [`store`]: a history of observations, in SQLite.
//! - [`serve`]: scrapes, keeps and answers, all the time.
//! - [`cli`]: the commands.

pub mod cli;
pub mod compare;
pub mod dataset;
pub mod date;
pub mod duration;
pub mod error;
pub mod exposition;
pub mod http;
pub mod lab;
pub mod observation;
pub mod output;
pub mod printable;
pub mod report;
pub mod rules;
pub mod serve;
pub mod source;
pub mod stats;
pub mod store;
pub mod verdict;
pub mod warning;
