//! Flags that say what stores are asked for.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use crate::date;
use crate::http::client;
use crate::observation::Statistic;
use crate::source::store::Options;

/// What to ask stores for.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Stores")]
pub struct Args {
    /// Take what stores hold of the time that --for says up to this point, such as 2026-11-25T18:00:00Z or seconds
    /// since the epoch [default: now]
    #[arg(long = "end", value_name = "TIME", value_parser = date::parse)]
    end: Option<f64>,

    /// Only series with this label value, such as cluster=eu1; repeatable
    #[arg(long = "store.match", value_name = "LABEL=VALUE", value_parser = matcher)]
    matchers: Vec<(String, String)>,

    /// The tenant, for stores that have several (header X-Scope-OrgID)
    #[arg(long = "store.tenant", value_name = "NAME")]
    tenant: Option<String>,

    /// A header of each request; secrets belong into a file, say which with --source.config; repeatable
    #[arg(long = "store.header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// How long one query may take
    #[arg(long = "store.timeout", value_name = "DURATION", default_value = "1m", value_parser = super::access::above_zero)]
    query_timeout: Duration,
}

impl Args {
    /// The same as options, over this range and for this statistic.
    ///
    /// # Errors
    ///
    /// When the tenant cannot be in a header.
    pub fn options(&self, range: Duration, statistic: Statistic) -> anyhow::Result<Options> {
        let mut headers = self.headers.clone();
        if let Some(tenant) = &self.tenant {
            headers.push(client::header("X-Scope-OrgID", tenant).map_err(anyhow::Error::msg)?);
        }
        Ok(Options {
            range,
            end: self.end,
            statistic,
            matchers: self.matchers.clone(),
            headers,
            timeout: self.query_timeout,
        })
    }
}

fn matcher(text: &str) -> Result<(String, String), String> {
    let is_name = |label: &str| {
        let mut characters = label.chars();
        characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && characters.all(|other| other.is_ascii_alphanumeric() || other == '_')
    };
    match text.split_once('=') {
        Some((label, value)) if is_name(label) => Ok((label.to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("{text:?} is no LABEL=VALUE, such as cluster=eu1")),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("it is no NAME:VALUE, such as X-Scope-OrgID:team")?;
    if ["authorization", "proxy-authorization", "cookie"].contains(&name.trim().to_ascii_lowercase().as_str())
    {
        return Err("others on this machine can see it here; name a file with --source.config".to_owned());
    }
    client::header(name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(matcher("cluster=eu=1"), Ok(("cluster".into(), "eu=1".into())));
        for text in ["cluster", "=x", "a-b=c", "1a=b"] {
            assert!(matcher(text).is_err(), "{text}");
        }
        assert!(header("X-Scope-OrgID: team").is_ok());
        assert!(header("Authorization: Bearer x").unwrap_err().contains("--source.config"));
        assert!(header("no header").is_err() && header("a b:c").is_err());
    }
}
