//! What is said of an instance that became another one.
//!
//! A target counts as what it was last, whatever it was before: rounds of both cannot be those of one host, and as two
//! hosts one machine would be evidence twice. A new `boot_id` alone counts as well, as nothing tells a machine that
//! started anew from another one in its place.

use super::Labels;

/// With what the reason ends for rounds that are left out of a target that gave others.
const OF_BEFORE: &str = "they are of what it was then";

/// Whether that is a reason of [`before_change`], so that its target is not silent.
pub(crate) fn is_of_before(reason: &str) -> bool {
    reason.ends_with(OF_BEFORE)
}

/// Why rounds of what a target was before are left out.
pub(crate) fn before_change(rounds: usize, before: &Labels, after: &Labels) -> String {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let names: Vec<&str> =
        names.filter(|name| before.get(*name) != after.get(*name)).map(String::as_str).collect();
    let rounds = counted(rounds, "round");
    let names = names.join(", ");
    format!("{rounds} from before it changed ({names}) are left out: {OF_BEFORE}")
}

/// `1 host`, `2 hosts`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
