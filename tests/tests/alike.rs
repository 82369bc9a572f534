//! The same agent twice is no difference: rounds of one agent, dealt to two instances, through the collector's library.
//!
//! `make alike` does it over ten minutes. Which instance a round goes to is a coin's to say, so that a busy machine widens
//! the intervals of both and favours neither.

use tierprobe_tests::binary;
use tierprobe_tests::halves::{Tally, tally};
use tierprobe_tests::measured::{Measured, measuring};

/// Fifty rounds for each half: an interval needs forty that nothing disturbed.
const ROUNDS: &str = "100";

/// Times that they are dealt.
const DEALS: u32 = 100;

#[test]
fn two_halves_of_an_agent_are_alike_and_a_dearer_half_is_found() {
    let flags = [
        "--rounds",
        ROUNDS,
        "--pause",
        "20ms",
        "--probe",
        "syscall",
        "--probe",
        "page_fault",
        "--probe",
        "vm_exit",
    ];
    let mut record = Measured::by(&mut measuring(binary::agent(), &flags)).0;
    // On a busy machine too few rounds are left that nothing disturbed. A coin is fair to the others, too.
    let durations = record.families.iter_mut().flat_map(|family| &mut family.series);
    durations.flat_map(|series| &mut series.rounds).for_each(|round| round.disturbed.clear());
    let gauges = record.gauges.iter_mut().flat_map(|gauge| &mut gauge.rounds);
    gauges.for_each(|round| round.disturbed.clear());

    let said = |tally: &Tally| tally.alike + tally.different;
    let all = |deals, ratio| -> (u32, u32, Vec<(String, Tally)>) {
        let rows: Vec<(String, Tally)> = tally(&record, deals, ratio).into_iter().collect();
        let (alike, statements) =
            rows.iter().fold((0, 0), |(alike, all), (_, tally)| (alike + tally.alike, all + said(tally)));
        (alike, statements, rows)
    };
    let (alike, statements, rows) = all(DEALS, 1.0);
    println!("alike {alike} of {statements} in {} rows", rows.len());
    assert!(statements > DEALS * 10, "hardly anything was compared: {rows:#?}");
    assert!(alike * 100 >= statements * 95, "{alike} of {statements} statements hold: {rows:#?}");
    // A row is 100 deals of the same rounds, so that one may be less lucky than all together.
    let unlucky: Vec<_> = rows.iter().filter(|(_, tally)| tally.alike * 100 < said(tally) * 85).collect();
    assert!(unlucky.is_empty(), "{unlucky:#?}");

    let (alike, statements, rows) = all(DEALS / 10, 10.0);
    println!("alike {alike} of {statements} at ten times the cost");
    assert!(alike * 10 < statements, "ten times the cost is not found: {rows:#?}");
}
