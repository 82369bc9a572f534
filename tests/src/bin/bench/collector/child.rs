//! A measurement in a process of its own, so that its peak of memory is its own.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::process::peak;

/// A measurement: its name, and what it does with how many of whatever it is.
type Child = (&'static str, fn(usize) -> anyhow::Result<Vec<f64>>);

const CHILDREN: &[Child] = &[("compare", super::comparing::measure)];

/// Runs a measurement in a process of its own; its numbers, then its peak of resident memory in bytes.
pub(super) fn measure(name: &str, size: usize) -> anyhow::Result<Vec<f64>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["collector-child", name, &size.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{name} {size}: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.split_whitespace().map(|word| word.parse().with_context(|| word.to_owned())).collect()
}

/// What `bench collector-child NAME SIZE` does.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let (name, size) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let Some((_, measure)) = CHILDREN.iter().find(|(child, _)| *child == name) else {
        bail!("there is no measurement {name:?}");
    };
    let mut numbers = measure(size.parse().context("SIZE is a whole number")?)?;
    numbers.push(peak(std::process::id())?);
    println!("{}", numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    Ok(())
}
