//! A program that takes something, so that a test can see whether the agent notices.
//!
//! `hog cpu` wants all of a CPU. `hog half MILLISECONDS` wants it for so long and then leaves it for as long, in turns.
//! `hog memory BYTES` holds so much. It says `ready` on standard output as soon as it does, and ends after a minute at
//! the latest, or when its standard input does: nobody is left behind by a test that fails.

#![expect(clippy::print_stdout, reason = "a program for tests")]

use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

const LONGEST: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = || -> anyhow::Result<u64> { Ok(arguments.get(1).context("a number is needed")?.parse()?) };
    std::thread::spawn(|| {
        let _ends_with_the_test = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let end = Instant::now() + LONGEST;
    match arguments.first().map(String::as_str) {
        Some("cpu") => {
            println!("ready");
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        }
        Some("half") => {
            let turn = Duration::from_millis(number()?);
            println!("ready");
            while Instant::now() < end {
                let begin = Instant::now();
                while begin.elapsed() < turn {
                    std::hint::spin_loop();
                }
                std::thread::sleep(turn);
            }
        }
        Some("memory") => {
            // Other than zero, or the pages would be no memory.
            let held = vec![1_u8; usize::try_from(number()?)?];
            println!("ready");
            std::thread::sleep(LONGEST);
            drop(std::hint::black_box(held));
        }
        _ => bail!("say what to take: cpu, half MILLISECONDS or memory BYTES"),
    }
    Ok(())
}
