//! The folder that the gateway is provisioned from.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Desk, PRODUCT, THING};

impl Desk {
    /// Has the gateway renew its certificate, from its next start on.
    pub(crate) fn let_it_renew(&self) {
        let path = self.text("device.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, config.replace("renew = false", "renew = true")).unwrap();
    }

    /// Waits until the server knows the gateway, whose product runs before.
    pub(crate) async fn until_enrolled(&mut self) {
        let begin = Instant::now();
        while !Path::new(&self.text("provisioning/cert.pem")).exists() {
            self.keep_waiting(begin, "its certificate");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A file of the gateway's folder.
    pub(crate) fn provisioned(&self, name: &str) -> String {
        std::fs::read_to_string(self.text(&format!("provisioning/{name}"))).unwrap()
    }

    /// Puts a file into the gateway's folder.
    pub(crate) fn provision(&self, name: &str, text: &str) {
        std::fs::write(self.text(&format!("provisioning/{name}")), text).unwrap();
    }

    /// What the gateway's folder holds, in order.
    pub(crate) fn provisioned_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.text("provisioning")).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        // What a kill left of a write is overwritten by the next.
        names.retain(|name| !name.ends_with(".new"));
        names.sort_unstable();
        names
    }

    /// A new certificate that the gateway has not proven yet.
    pub(crate) fn put_next(&self, key_pem: &str, cert_pem: &str) {
        let ca_pem = self.provisioned("ca.pem");
        let texts = [("key_pem", key_pem), ("cert_pem", cert_pem), ("ca_pem", &ca_pem)];
        let lines = texts.map(|(name, pem)| format!("{name} = '''\n{pem}'''\n"));
        self.provision("next.toml", &lines.concat());
    }

    /// Key and certificate of a device that is not the gateway.
    pub(crate) async fn certificate_of_another(&self) -> (String, String) {
        let out = self.text("another");
        self.done(&["device", "add", "another", "--product", PRODUCT, "--out", &out]).await;
        let text = |name: &str| std::fs::read_to_string(Path::new(&out).join(name)).unwrap();
        (text("key.pem"), text("cert.pem"))
    }

    /// How many certificates the gateway has had, and how many of them are good.
    pub(crate) async fn good_certificates(&self) -> (usize, usize) {
        let page = self.done(&["device", "certificate", "list", THING]).await;
        let all = page["items"].as_array().unwrap();
        let good = all.iter().filter(|certificate| certificate["revoked_at"].is_null());
        (all.len(), good.count())
    }

    /// Waits until the gateway has a certificate that is so.
    pub(crate) async fn until_certificate(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        // The file that takes its place for a moment is gone when all of it is written.
        while self.provisioned_files().iter().any(|name| name == "proven.toml")
            || !is_so(&self.provisioned("cert.pem"))
        {
            self.keep_waiting(begin, what);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
