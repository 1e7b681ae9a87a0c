//! A certificate of somebody else's authority, renewed while the server runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use otaru_real_fleet::Server;
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client};
use serde_json::Value;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server whose certificate is in two files beside it.
struct Site {
    server: Server,
    folder: TempDir,
}

impl Site {
    async fn start() -> (Site, Certificate) {
        let folder = tempfile::tempdir().unwrap();
        let first = renew(folder.path());
        let [certificate, key] = files(folder.path());
        let arguments =
            ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let server = Server::new(Path::new(env!("CARGO_BIN_EXE_otaru")), folder.path(), None);
        let mut server = server.unwrap().with_arguments(&arguments);
        server.start().await.unwrap();
        (Site { server, folder }, first)
    }

    fn url(&self) -> String {
        format!("{}/openapi.json", self.server.https_url())
    }

    async fn is_trusted_with(&self, root: &Certificate) -> bool {
        client(root).get(self.url()).send().await.is_ok()
    }
}

fn files(folder: &Path) -> [PathBuf; 2] {
    ["fullchain.pem", "privkey.pem"].map(|name| folder.join(name))
}

/// Puts another certificate in place, as an ACME client does; answers what to trust for it.
fn renew(folder: &Path) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let [certificate, key_file] = files(folder);
    fs::write(certificate, &pem).unwrap();
    fs::write(key_file, key.serialize_pem()).unwrap();
    Certificate::from_pem(pem.as_bytes()).unwrap()
}

fn client(root: &Certificate) -> Client {
    let client = Client::builder().tls_certs_only([root.clone()]).timeout(LIMIT);
    client.build().unwrap()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(LIMIT, so).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_used_at_once_and_a_broken_one_never() {
    let (mut site, first) = Site::start().await;
    let stayed = client(&first);
    stayed.get(site.url()).send().await.unwrap().bytes().await.unwrap();

    let second = renew(site.folder.path());
    site.server.hang_up().await.unwrap();
    until("the second certificate", async || site.is_trusted_with(&second).await).await;
    assert!(!site.is_trusted_with(&first).await);
    // Over the connection it has: it does not trust the second certificate.
    stayed.get(site.url()).send().await.unwrap();

    let [_, key] = files(site.folder.path());
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\nsecret").unwrap();
    site.server.hang_up().await.unwrap();
    let said = "so the old one stays";
    until(said, async || site.server.last_output().contains(said)).await;
    assert!(site.is_trusted_with(&second).await);

    site.server.stop().await.unwrap();
    let refused = format!("{:#}", site.server.start().await.unwrap_err());
    assert!(refused.contains("privkey.pem is not a PEM private key"), "{refused}");
    assert!(!refused.contains("secret"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_to_trust_an_authority_that_is_not_in_use() {
    let (site, root) = Site::start().await;
    let url = format!("{}/ca.crt", site.server.https_url());
    let answer = client(&root).get(url).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "authority_unknown");
    assert!(!site.server.last_output().contains("have to trust"));
}
