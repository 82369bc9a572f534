//! A pair of flags for each probe, from the table of probes.

use clap::{Arg, ArgAction, ArgMatches, CommandFactory};

use super::Cli;
use crate::probe::PROBES;

/// The command line with a pair of flags for each probe.
pub(super) fn command() -> clap::Command {
    Cli::command().mut_subcommand("serve", |serve| {
        PROBES
            .iter()
            .fold(serve, |serve, spec| {
                let on = format!("probe.{}", spec.name);
                let off = format!("no-probe.{}", spec.name);
                serve
                    .arg(
                        Arg::new(on.clone())
                            .long(on.clone())
                            .action(ArgAction::SetTrue)
                            .overrides_with(off.clone())
                            .help(format!("Measure {}", spec.measures))
                            .help_heading("Probes (all are on)"),
                    )
                    .arg(
                        Arg::new(off.clone())
                            .long(off)
                            .action(ArgAction::SetTrue)
                            .overrides_with(on)
                            .hide(true),
                    )
            })
            .after_help("Each probe is switched off by --no-probe.NAME.")
    })
}

/// Probes that these flags switch on or off.
pub(super) fn probe_switches(matches: &ArgMatches) -> Vec<(String, bool)> {
    let switch = |prefix: &str, on: bool| {
        let named = move |name: &str| matches.get_flag(name).then_some(on);
        let prefix = prefix.to_owned();
        PROBES
            .iter()
            .filter_map(move |spec| Some((spec.name.to_owned(), named(&format!("{prefix}{}", spec.name))?)))
    };
    switch("probe.", true).chain(switch("no-probe.", false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn of_two_opposite_switches_the_last_one_holds() {
        let line = ["tierprobe-agent", "serve", "--no-probe.boot", "--probe.boot", "--no-probe.network"];
        let matches = command().try_get_matches_from(line).unwrap();
        let (_, serve) = matches.subcommand().unwrap();
        let switches = probe_switches(serve);
        assert_eq!(switches, [("boot".to_owned(), true), ("network".to_owned(), false)]);
    }
}
