//! TLS, certificates, passwords and tokens, with real TLS servers: who is let in is, who is not is told why, and no
//! secret shows anywhere or goes where it was not sent.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::place::{Request, agent, ok, place, read, status};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use tierprobe_collector::http::{Files, Rules};
use tierprobe_collector::source::Options;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a name, and its key; valid for as long as the year says.
fn certificate(authority: &Authority, name: &str, until: i32) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

/// A server's side of TLS; with `clients` it demands a certificate of that authority.
fn tls(authority: &Authority, name: &str, until: i32, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let (certificate, key) = certificate(authority, name, until);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

/// Reads one agent behind `address` with the rules of this configuration, whose files are in `folder`.
fn scrape(folder: &Path, address: SocketAddr, rule: &str) -> Result<(), String> {
    let config = folder.join("sources.yml");
    std::fs::write(&config, format!("sources:\n- match: https://127.0.0.1\n{rule}")).unwrap();
    let rules = Rules::new(Files::default(), Some(&config)).map_err(|error| error.to_string())?;
    let options = Options { rules: Arc::new(rules), ..Options::default() };
    let gathered = read(&[format!("https://{address}/metrics")], Duration::ZERO, options);
    match gathered.dropped.first() {
        Some(dropped) => Err(dropped.reason.clone()),
        None => Ok(()),
    }
}

#[track_caller]
fn assert_says(result: Result<(), String>, expected: &[&str]) {
    let reason = result.unwrap_err();
    for part in expected {
        assert!(reason.contains(part), "{reason:?} does not say {part:?}");
    }
}

#[test]
fn the_right_authority_is_trusted_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    std::fs::write(folder.path().join("ours.pem"), ours.pem()).unwrap();
    std::fs::write(folder.path().join("theirs.pem"), theirs.pem()).unwrap();
    let scrape = |server: &Arc<ServerConfig>, rule: &str| {
        scrape(folder.path(), place(Some(Arc::clone(server)), |_| agent()), rule)
    };
    let good = tls(&ours, "127.0.0.1", 2200, None);
    assert_eq!(scrape(&good, "  tls_config: {ca_file: ours.pem}\n"), Ok(()));
    assert_says(scrape(&good, "  tls_config: {ca_file: theirs.pem}\n"), &["UnknownIssuer", "ca_file"]);
    // The system does not know it either.
    assert_says(scrape(&good, "  tls_config: {}\n"), &["UnknownIssuer", "ca_file"]);
    assert_eq!(scrape(&good, "  tls_config: {insecure_skip_verify: true}\n"), Ok(()));

    let expired = tls(&ours, "127.0.0.1", 2021, None);
    assert_says(scrape(&expired, "  tls_config: {ca_file: ours.pem}\n"), &["expired", "new certificate"]);

    let named = tls(&ours, "agent.example.org", 2200, None);
    assert_says(
        scrape(&named, "  tls_config: {ca_file: ours.pem}\n"),
        &["not valid for name", "server_name"],
    );
    let by_name = "  tls_config: {ca_file: ours.pem, server_name: agent.example.org}\n";
    assert_eq!(scrape(&named, by_name), Ok(()));
}

#[test]
fn a_certificate_is_shown_to_whoever_demands_one() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, clients) = (authority("ours"), authority("clients"));
    std::fs::write(folder.path().join("ca.pem"), ours.pem()).unwrap();
    for (name, issuer) in [("good", &clients), ("bad", &ours)] {
        let (certificate, key) = certificate(issuer, "collector", 2200);
        std::fs::write(folder.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let server = place(Some(tls(&ours, "127.0.0.1", 2200, Some(&clients))), |_| agent());
    let with =
        |client: &str| scrape(folder.path(), server, &format!("  tls_config: {{ca_file: ca.pem{client}}}\n"));
    assert_eq!(with(", cert_file: good.pem, key_file: good.key"), Ok(()));
    assert_says(with(""), &["demands a certificate", "cert_file and key_file"]);
    assert_says(with(", cert_file: bad.pem, key_file: bad.key"), &["does not take this side's certificate"]);
    assert_says(with(", cert_file: good.pem, key_file: bad.key"), &["bad.key", "rule 1"]);
    assert_says(with(", cert_file: good.key, key_file: good.key"), &["good.key", "no certificate in PEM"]);
}

#[test]
fn what_speaks_no_tls_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let plain = place(None, |_| agent());
    assert_says(scrape(folder.path(), plain, "  tls_config: {insecure_skip_verify: true}\n"), &["http://"]);
}

/// Lets in who has this in the header `Authorization`, and keeps all that others had there.
fn guarded(expected: &'static str) -> (SocketAddr, Arc<Mutex<Vec<Request>>>) {
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let requests = Arc::clone(&seen);
    let address = place(None, move |request| {
        requests.lock().unwrap().push(request.clone());
        if request.header("authorization") == expected { agent() } else { status("401 Unauthorized") }
    });
    (address, seen)
}

#[test]
fn passwords_and_tokens_come_from_files_and_show_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in [("password", "hunter2\n"), ("wrong", "hunter3\n"), ("token", "sesame\n")] {
        std::fs::write(folder.path().join(name), secret).unwrap();
    }
    let scrape = |address: SocketAddr, rule: &str| {
        let config = folder.path().join("sources.yml");
        std::fs::write(&config, format!("sources:\n- match: http://127.0.0.1:{}\n{rule}", address.port()))
            .unwrap();
        let rules = Arc::new(Rules::new(Files::default(), Some(&config)).unwrap());
        assert!(!format!("{rules:?}").contains("hunter"), "{rules:?}");
        let options = Options { rules, ..Options::default() };
        let gathered = read(&[format!("http://{address}/metrics")], Duration::ZERO, options);
        assert!(!format!("{gathered:?}").contains("hunter"), "{gathered:?}");
        gathered.dropped.first().map_or(Ok(()), |dropped| Err(dropped.reason.clone()))
    };
    // printf user:hunter2 | base64
    let (basic, _) = guarded("Basic dXNlcjpodW50ZXIy");
    assert_eq!(scrape(basic, "  basic_auth: {username: user, password_file: password}\n"), Ok(()));
    assert_says(
        scrape(basic, "  basic_auth: {username: user, password_file: wrong}\n"),
        &["401", "--source.config"],
    );
    assert_says(scrape(basic, "  labels: {}\n"), &["401"]);
    let (bearer, _) = guarded("Bearer sesame");
    assert_eq!(scrape(bearer, "  authorization: {credentials_file: token}\n"), Ok(()));
    let (other, _) = guarded("Token sesame");
    assert_eq!(scrape(other, "  authorization: {type: Token, credentials_file: token}\n"), Ok(()));
    // Flags are for whoever no rule matches.
    let flags = Files { bearer_file: Some(folder.path().join("token")), ..Files::default() };
    let options = Options { rules: Arc::new(Rules::new(flags, None).unwrap()), ..Options::default() };
    assert_eq!(read(&[format!("http://{bearer}/metrics")], Duration::ZERO, options).dropped, []);
}

#[test]
fn secrets_do_not_follow_redirects_nor_go_to_other_places() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "sesame").unwrap();
    let (elsewhere, seen) = guarded("");
    let location = format!("302 Found\r\nLocation: http://{elsewhere}/metrics");
    let trap = place(None, move |_| status(&location));
    let config = folder.path().join("sources.yml");
    let rule = format!(
        "sources:\n- match: http://127.0.0.1:{}\n  authorization: {{credentials_file: token}}\n",
        trap.port()
    );
    std::fs::write(&config, rule).unwrap();
    let rules = Arc::new(Rules::new(Files::default(), Some(&config)).unwrap());
    let sources = [trap, elsewhere].map(|address| format!("http://{address}/metrics"));
    let gathered = read(&sources, Duration::ZERO, Options { rules, ..Options::default() });
    assert_eq!(gathered.collected.len(), 1);
    assert!(gathered.dropped[0].reason.contains("redirects are not followed"), "{gathered:?}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), "");
}

#[test]
fn labels_and_headers_of_a_rule_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let tenant =
        place(
            None,
            |request| {
                if request.header("x-scope-orgid") == "team" { agent() } else { ok("text/plain", "") }
            },
        );
    let config = folder.path().join("sources.yml");
    let rule = "sources:\n- match: http://*\n  labels: {rack: r1, tier: container}\n  headers: {X-Scope-OrgID: team}\n";
    std::fs::write(&config, rule).unwrap();
    let rules = Arc::new(Rules::new(Files::default(), Some(&config)).unwrap());
    let gathered =
        read(&[format!("http://{tenant}/metrics")], Duration::ZERO, Options { rules, ..Options::default() });
    let labels = &gathered.collected[0].instance.labels;
    assert_eq!((labels["rack"].as_str(), labels["tier"].as_str()), ("r1", "container"));
}
