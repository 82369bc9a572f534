//! Requests over the loopback interface.

use std::time::Duration;

/// The body of a successful answer to `url` with these parameters.
///
/// # Errors
///
/// What went wrong instead, with the body.
pub fn get(url: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
    // Whatever proxy the environment names is not for the loopback interface.
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build();
    let request = config.new_agent().get(url).query_pairs(parameters.iter().copied());
    let mut response = request.call().map_err(|error| format!("{url}: {error}"))?;
    let body = response.body_mut().read_to_string().map_err(|error| format!("{url}: {error}"))?;
    let status = response.status();
    if status.is_success() { Ok(body) } else { Err(format!("{url}: {status}: {body}")) }
}
