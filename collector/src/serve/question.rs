//! What somebody wants to know: the parameters of an address.

use std::time::Duration;

use clap::ValueEnum as _;

use super::config::Config;
use super::problem::Problem;
use crate::compare::Options;
use crate::dataset::Filter;
use crate::duration;
use crate::observation::Statistic;
use crate::report::Format;

/// Longest value of a parameter, in bytes.
const MAX_BYTES: usize = 200;

/// Longest name of a label, in bytes.
const MAX_LABEL_BYTES: usize = 64;

/// Most filters.
const MAX_FILTERS: usize = 20;

/// The parameters that there are.
const NAMES: [&str; 6] = ["by", "baseline", "window", "statistic", "where", "format"];

/// Which rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Those of the last window of this length that is over.
    Last(Duration),
    /// Those of the window of this length that is not over, without verdicts.
    Live(Duration),
}

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// How to compare; its own window is not looked at.
    pub options: Options,
    /// Which rounds.
    pub window: Window,
}

impl Question {
    /// What is compared unless somebody asks for something else.
    #[must_use]
    pub fn usual(config: &Config) -> Self {
        Self { options: config.options.clone(), window: Window::Last(config.window) }
    }

    /// A question by its parameters, and the form of the answer, `usual` where they do not say.
    ///
    /// # Errors
    ///
    /// [`Problem`], naming the parameter.
    pub fn parse(
        config: &Config,
        parameters: &[(String, String)],
        usual: Format,
    ) -> Result<(Self, Format), Problem> {
        let mut question = Self::usual(config);
        let mut format = usual;
        let mut seen: Vec<&str> = Vec::new();
        let mut filters = Vec::new();
        for (name, value) in parameters {
            let wrong = |message: &str| Err(Problem::question(format!("parameter {name:?}: {message}")));
            if !NAMES.contains(&name.as_str()) {
                let known = NAMES.join(", ");
                return Err(Problem::question(format!(
                    "there is no parameter {}; there are {known}",
                    printable(name)
                )));
            }
            if value.len() > MAX_BYTES {
                return wrong(&format!("its value is longer than {MAX_BYTES} bytes"));
            }
            if value.is_empty() || value.contains(char::is_control) {
                return wrong("its value is empty or has control characters in it");
            }
            if name != "where" && seen.contains(&name.as_str()) {
                return wrong("it is there twice; only where may be");
            }
            seen.push(name);
            match name.as_str() {
                "by" if !is_label(value) => return wrong("it is the name of no label"),
                "by" => question.options.by.clone_from(value),
                "baseline" => question.options.baseline = Some(value.clone()),
                "where" => match value.parse::<Filter>() {
                    Ok(filter) if !is_label(&filter.key) => return wrong("before = is the name of no label"),
                    Ok(filter) if filters.len() < MAX_FILTERS => filters.push(filter),
                    Ok(_) => return wrong(&format!("there are more than {MAX_FILTERS}")),
                    Err(error) => return wrong(&error),
                },
                // A quantile as a number is for the command line: here it would be one more way to say the same.
                "statistic" => match value.parse::<Statistic>() {
                    Ok(_) if !value.starts_with(['m', 'p']) => {
                        return wrong("write min, max or pNN, such as p99");
                    }
                    Ok(statistic) => question.options.statistic = statistic,
                    Err(error) => return wrong(&error),
                },
                "window" => match window(value, config) {
                    Ok(window) => question.window = window,
                    Err(error) => return wrong(&error),
                },
                _ => match Format::from_str(value, false) {
                    Ok(known) => format = known,
                    Err(_) => return wrong(&format!("known are {}", formats())),
                },
            }
        }
        if !filters.is_empty() {
            question.options.filters = filters;
        }
        if question.options.by != config.options.by && !seen.contains(&"baseline") {
            // A tier is no value of another label.
            question.options.baseline = None;
        }
        Ok((question, format))
    }
}

/// Whether a label may be called this.
fn is_label(name: &str) -> bool {
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    name.chars().all(is_word)
        && name.starts_with(|c: char| !c.is_ascii_digit())
        && name.len() <= MAX_LABEL_BYTES
}

fn window(text: &str, config: &Config) -> Result<Window, String> {
    if text == "live" {
        return Ok(Window::Live(config.window));
    }
    let length = duration::parse(text).map_err(|error| format!("{error}; or live"))?;
    if length < config.pace.interval {
        return Err("it is shorter than the interval between two scrapes".to_owned());
    }
    Ok(Window::Last(length))
}

fn formats() -> String {
    let names: Vec<String> = Format::value_variants()
        .iter()
        .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
        .collect();
    names.join(", ")
}

/// A name as it can stand in a message.
fn printable(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}
