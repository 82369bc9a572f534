//! `http_sd:URL`: target groups on a page, in JSON.

use std::sync::Arc;
use std::time::Duration;

use super::group;
use super::{Context, DiscoveryError, MAX_TARGETS};
use crate::http::{Address, Client, Limits};
use crate::observation::Labels;

const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), body_bytes: 32 * 1024 * 1024 };

/// The targets that are on the page.
pub(super) async fn fetch(
    address: &Address,
    context: &Context,
) -> Result<Vec<(Address, Labels)>, DiscoveryError> {
    let (access, _) = context.rules.find(address);
    let mut client = Client::new(address.clone(), access, Arc::clone(&context.net));
    let answer = client.get("application/json", LIMITS).await?;
    if answer.status != 200 {
        return Err(DiscoveryError::Status(answer.status));
    }
    let unusable = |why: String| DiscoveryError::Unusable { place: address.to_string(), why };
    let found = answer.mime_type();
    if found != "application/json" {
        return Err(unusable(format!(
            "it answers {found:?} and not application/json, as a list of targets must"
        )));
    }
    let groups = group::of_json(&answer.body).map_err(unusable)?;
    let targets = group::targets(&groups).map_err(unusable)?;
    if targets.len() > MAX_TARGETS {
        return Err(DiscoveryError::TooMany { place: address.to_string() });
    }
    Ok(targets)
}
