//! `lab --list`: what can run here.

use serde::Serialize;

use super::launcher::{LAUNCHERS, Launcher, Machine, Ready, Reason};
use crate::report::Format;

/// What is said of one launcher.
#[derive(Debug, Serialize)]
struct Line {
    launcher: &'static str,
    description: &'static str,
    can_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

impl Line {
    fn of(launcher: &dyn Launcher, checked: Result<Ready, Reason>) -> Self {
        let can_run = checked.is_ok();
        let (with, reason) = match checked {
            Ok(ready) => (Some(ready.with), None),
            Err(reason) => (None, Some(reason)),
        };
        Self { launcher: launcher.name(), description: launcher.describe(), can_run, with, reason }
    }
}

/// The list of all launchers.
///
/// # Errors
///
/// When it cannot be written as JSON.
pub(crate) fn text(machine: &Machine, format: Format) -> anyhow::Result<String> {
    let lines: Vec<Line> =
        LAUNCHERS.iter().map(|launcher| Line::of(*launcher, launcher.check(machine))).collect();
    match format {
        Format::Json => Ok(serde_json::to_string_pretty(&serde_json::json!({
            "schema": tierprobe_model::SCHEMA,
            "launchers": lines,
        }))? + "\n"),
        Format::Html | Format::Csv => {
            anyhow::bail!("the list of launchers comes as table, markdown or json")
        }
        Format::Markdown => {
            let mut text = String::from("| launcher | here | what it starts |\n|---|---|---|\n");
            for line in lines {
                text.push_str(&format!(
                    "| {} | {} | {} |\n",
                    line.launcher,
                    line.verdict(),
                    line.description
                ));
            }
            Ok(text)
        }
        Format::Table => {
            let mut text = String::new();
            for line in lines {
                let mark = if line.can_run { "yes" } else { "no" };
                text.push_str(&format!("{:<9} {mark:<4} {}\n", line.launcher, line.verdict()));
                for part in wrap(line.description, 65) {
                    text.push_str(&format!("{:15}{part}\n", ""));
                }
            }
            Ok(text)
        }
    }
}

impl Line {
    fn verdict(&self) -> String {
        match (&self.with, &self.reason) {
            (Some(with), _) => with.clone(),
            (None, Some(reason)) => reason.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// Lines of at most `width` characters, broken at spaces.
#[must_use]
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(last) = lines.last_mut() else { continue };
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_launcher_is_on_the_list_with_a_word_on_why() {
        let text = text(&Machine::default(), Format::Json).unwrap();
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        for line in list["launchers"].as_array().unwrap() {
            let key = if line["can_run"] == true { "with" } else { "reason" };
            assert!(!line[key].is_null(), "{line}");
        }
        assert_eq!(list["launchers"].as_array().unwrap().len(), LAUNCHERS.len());
    }

    #[test]
    fn long_lines_are_broken_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }
}
