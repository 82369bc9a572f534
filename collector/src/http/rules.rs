//! Which access goes to which address: flags, and the rules of `--source.config`.
//!
//! The file has the words of Prometheus' `scrape_config`:
//!
//! ```yaml
//! sources:
//!   - match: https://*.db.example.org:10990/
//!     labels: {rack: r12}
//!     tls_config: {ca_file: ca.pem, cert_file: collector.pem, key_file: collector.key}
//!   - match: https://mimir.example.org/prometheus
//!     authorization: {credentials_file: token}
//!     headers: {X-Scope-OrgID: platform}
//! ```
//!
//! The first rule that matches holds, and then no other and no flag. Paths are relative to the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::access::{Authorization, BasicAuth, Credentials};
use super::pattern::Pattern;
use super::tls::TlsFiles;
use super::{Access, Address, client};
use crate::observation::Labels;

/// What is wrong with the rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// It is no YAML, or has what is not known.
    #[error("{path}: {why}")]
    Yaml {
        /// Which file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        why: String,
    },
    /// A rule says what cannot be.
    #[error("{path}: rule {number} of sources: {why}")]
    Rule {
        /// Which file.
        path: PathBuf,
        /// Which rule, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A flag does.
    #[error("{0}")]
    Flag(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sources: Vec<RuleText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    r#match: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    tls_config: TlsFiles,
    basic_auth: Option<BasicAuth>,
    authorization: Option<Authorization>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// Access by flags: for every address that no rule matches.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// TLS.
    pub tls: TlsFiles,
    /// The user name.
    pub username: Option<String>,
    /// The file with its password.
    pub password_file: Option<PathBuf>,
    /// The file with a bearer token.
    pub bearer_file: Option<PathBuf>,
}

/// Which access goes to which address.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    otherwise: Arc<Access>,
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    labels: Labels,
    access: Arc<Access>,
}

impl Rules {
    /// From the flags and, where there is one, the file.
    ///
    /// # Errors
    ///
    /// Where and what is wrong. All files are read once, so that it is said before anything is asked.
    pub fn new(flags: Files, file: Option<&Path>) -> Result<Self, RulesError> {
        let basic = match (flags.username, flags.password_file) {
            (Some(username), Some(password_file)) => Some(BasicAuth { username, password_file }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(RulesError::Flag(
                    "--source.username and --source.password-file go together".to_owned(),
                ));
            }
        };
        let bearer = flags
            .bearer_file
            .map(|credentials_file| Authorization { kind: "Bearer".to_owned(), credentials_file });
        let otherwise = access(flags.tls, basic, bearer, Vec::new()).map_err(RulesError::Flag)?;
        let rules = file.map_or_else(|| Ok(Self::default()), read)?;
        Ok(Self { otherwise: Arc::new(otherwise), ..rules })
    }

    /// By what the file at `path` says.
    ///
    /// # Errors
    ///
    /// As [`Rules::new`].
    pub fn of_yaml(text: &str, path: &Path) -> Result<Self, RulesError> {
        let file: File = serde_saphyr::from_str(text)
            .map_err(|error| RulesError::Yaml { path: path.to_owned(), why: yaml(&error) })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let rules = file.sources.into_iter().enumerate().map(|(at, rule)| {
            // A name of a file may have lines in it.
            let wrong =
                |why: String| RulesError::Rule { path: path.to_owned(), number: at + 1, why: one_line(&why) };
            rule.rule(folder).map_err(wrong)
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()?, ..Self::default() })
    }

    /// The access to an address, and the labels that its instances get.
    #[must_use]
    pub fn find(&self, address: &Address) -> (Arc<Access>, &Labels) {
        static NONE: Labels = Labels::new();
        let rule = self.rules.iter().find(|rule| rule.pattern.matches(address));
        match rule {
            Some(rule) => (Arc::clone(&rule.access), &rule.labels),
            None => (Arc::clone(&self.otherwise), &NONE),
        }
    }
}

fn read(path: &Path) -> Result<Rules, RulesError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| RulesError::Unreadable { path: path.to_owned(), error })?;
    Rules::of_yaml(&text, path)
}

/// What is wrong with a YAML text, in one line, without the lines around it: they may hold what should not be shown.
pub(crate) fn yaml(error: &serde_saphyr::Error) -> String {
    let text = one_line(&error.without_snippet().to_string());
    match error.location() {
        Some(at) if !text.contains("line") => format!("line {}, column {}: {text}", at.line(), at.column()),
        Some(_) | None => text,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl RuleText {
    fn rule(self, folder: &Path) -> Result<Rule, String> {
        let mut tls = self.tls_config;
        for file in [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file].into_iter().flatten() {
            *file = folder.join(&*file);
        }
        let basic = self.basic_auth.map(|mut basic| {
            basic.password_file = folder.join(basic.password_file);
            basic
        });
        let token = self.authorization.map(|mut token| {
            token.credentials_file = folder.join(token.credentials_file);
            token
        });
        let headers = self.headers.iter().map(|(name, value)| client::header(name, value));
        let headers = headers.collect::<Result<Vec<_>, String>>()?;
        let access = access(tls, basic, token, headers)?;
        Ok(Rule { pattern: Pattern::new(&self.r#match)?, labels: self.labels, access: Arc::new(access) })
    }
}

fn access(
    tls: TlsFiles,
    basic: Option<BasicAuth>,
    token: Option<Authorization>,
    headers: Vec<(HeaderName, HeaderValue)>,
) -> Result<Access, String> {
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        return Err("a certificate and its key go together: cert_file and key_file".to_owned());
    }
    let credentials = match (basic, token) {
        (Some(_), Some(_)) => return Err("either a password or a token, not both".to_owned()),
        (Some(BasicAuth { username, password_file }), None) => {
            if username.contains(':') {
                return Err("a user name cannot have a colon in it".to_owned());
            }
            Some(Credentials::Basic { username, password_file })
        }
        (None, Some(Authorization { kind, credentials_file })) => {
            Some(Credentials::Token { kind, credentials_file })
        }
        (None, None) => None,
    };
    let access = Access::new(tls, credentials, headers);
    access.check().map_err(|error| error.to_string())?;
    Ok(access)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(yaml: &str) -> Result<Rules, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yml");
        std::fs::write(&path, yaml).unwrap();
        std::fs::write(folder.path().join("token"), "hunter2\n").unwrap();
        Rules::new(Files::default(), Some(&path)).map_err(|error| crate::error::chain(&error))
    }

    #[test]
    fn the_first_rule_that_matches_holds() {
        let rules = rules(
            "sources:\n- match: http://a\n  labels: {rack: r1}\n  authorization: {credentials_file: token}\n\
             - match: http://*\n  labels: {rack: r2}\n  headers: {X-Scope-OrgID: team}\n",
        )
        .unwrap();
        let (access, labels) = rules.find(&"http://a:1/metrics".parse().unwrap());
        assert_eq!(labels["rack"], "r1");
        assert_eq!(access.authorization().unwrap().unwrap(), "Bearer hunter2");
        assert!(!format!("{access:?}").contains("hunter2"));
        let (access, labels) = rules.find(&"http://b/".parse().unwrap());
        assert_eq!((labels["rack"].as_str(), access.headers().len()), ("r2", 1));
        assert!(rules.find(&"https://b/".parse().unwrap()).1.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = |yaml: &str| rules(yaml).err().unwrap_or_else(|| panic!("{yaml} was taken"));
        let unknown =
            error("sources:\n- match: http://a\n  basic_auth:\n    username: u\n    password: hunter2\n");
        assert!(unknown.contains("password_file") && unknown.contains("line 5"), "{unknown}");
        assert!(!unknown.contains("hunter2"), "{unknown}");
        let missing = error(
            "sources:\n- match: http://a\n- match: http://b\n  authorization: {credentials_file: no}\n",
        );
        assert!(missing.contains("rule 2") && missing.contains("cannot read"), "{missing}");
        assert!(error("sources:\n- match: nonsense\n").contains("rule 1"));
        assert!(error("sources: [}").contains("line 1"));
        let both = "sources:\n- match: http://a\n  authorization: {credentials_file: token}\n  \
                    basic_auth: {username: u, password_file: token}\n";
        assert!(error(both).contains("not both"));
        assert!(
            error("sources:\n- match: http://a\n  tls_config: {cert_file: token}\n").contains("go together")
        );
    }
}
