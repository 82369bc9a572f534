//! Runs a fuzz target: over files, or under libFuzzer where that is linked.

#![cfg_attr(feature = "libfuzzer", no_main)]

/// Under libFuzzer, which has the arguments for itself, the target's name comes by the environment.
#[cfg(feature = "libfuzzer")]
mod under_libfuzzer {
    use std::sync::OnceLock;

    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

    libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
        let target = TARGET.get_or_init(|| {
            let name = std::env::var("TIERPROBE_FUZZ").unwrap_or_default();
            tierprobe_fuzz::target(&name).unwrap_or(|_| {})
        });
        target(bytes);
    });
}

#[cfg(not(feature = "libfuzzer"))]
fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let names: Vec<&str> = tierprobe_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    let target =
        tierprobe_fuzz::target(&name).ok_or_else(|| format!("say which target: {}", names.join(", ")))?;
    for path in arguments {
        let bytes = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
        target(&bytes);
    }
    Ok(())
}
