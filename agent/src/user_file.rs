//! Files that the user names: configuration, a processor's CPUID.

use std::io::Read;
use std::path::Path;

use crate::error::ConfigError;

/// Largest file that is read, in KiB.
const MAX_KIB: u64 = 1024;

/// The text of a file that the user named.
///
/// # Errors
///
/// [`ConfigError`]: unreadable, no text, or too large.
#[expect(clippy::disallowed_methods, reason = "the user's own file, not the host's")]
pub fn text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take((MAX_KIB << 10) + 1).read_to_string(&mut text).map_err(unreadable)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_KIB << 10) {
        Ok(text)
    } else {
        Err(ConfigError::TooLarge { path: path.to_owned(), limit_kib: MAX_KIB })
    }
}
