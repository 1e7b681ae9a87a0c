//! A phone: a browser's habits, by `curl`.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Machine, Program};
use serde_json::Value;

const ORIGIN: &str = "https://ota.lan:8443";

/// Its files, and the arguments to be on the network of the house.
pub(crate) struct Phone {
    folder: PathBuf,
    is_at: Vec<String>,
    trusted: Option<PathBuf>,
}

/// An event stream that is open.
pub(crate) struct Events {
    /// What came so far.
    pub(crate) file: PathBuf,
    _curl: Program,
}

impl Phone {
    pub(crate) fn new(folder: PathBuf, home: &Machine) -> Result<Phone> {
        fs::create_dir(&folder)?;
        let command = home.command("curl");
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let is_at = words.map(|word| word.to_string_lossy().into_owned()).collect();
        Ok(Phone { folder, is_at, trusted: None })
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Fetches what is to be trusted, unseen, and trusts it from now on.
    pub(crate) async fn trust(&mut self, url: &str) -> Result<()> {
        let file = self.file("ca.pem");
        let fetched = self.curl(&["--insecure", "--output", &file, url]).await?;
        ensure!(fetched.status.success(), "{fetched:?}");
        self.trusted = Some(file.into());
        Ok(())
    }

    pub(crate) fn forget_cookies(&self) -> Result<()> {
        Ok(fs::remove_file(self.folder.join("cookies"))?)
    }

    pub(crate) async fn curl(&self, arguments: &[&str]) -> Result<Output> {
        let mut curl = self.command();
        curl.args(["--max-time", "20"]).args(arguments);
        curl.output().await.context("could not run curl")
    }

    /// One request of the app; status and body.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value)> {
        let url = format!("{ORIGIN}{path}");
        let body = body.map(|body| body.to_string());
        let mut arguments = vec!["--request", method, "--write-out", "\n%{http_code}", &url];
        if let Some(body) = &body {
            arguments.extend(["--header", "content-type: application/json", "--data", body]);
        }
        let output = self.curl(&arguments).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{method} {path}: {said}");
        let text = String::from_utf8(output.stdout)?;
        let (body, status) = text.rsplit_once('\n').context("curl says the status")?;
        Ok((status.parse()?, serde_json::from_str(body).unwrap_or_default()))
    }

    /// Opens an event stream.
    pub(crate) fn listen(&self, path: &str) -> Result<Events> {
        let file = self.folder.join("events");
        let mut curl = self.command();
        curl.args(["--no-buffer", &format!("{ORIGIN}{path}")]);
        let curl = Program::start(&mut curl, &file)?;
        Ok(Events { file, _curl: curl })
    }

    fn command(&self) -> tokio::process::Command {
        let mut curl = tokio::process::Command::new(&self.is_at[0]);
        curl.args(&self.is_at[1..]).kill_on_drop(true);
        let cookies = self.file("cookies");
        curl.args(["--silent", "--show-error", "--cookie", &cookies, "--cookie-jar", &cookies]);
        // What a browser says by itself.
        curl.args(["--header", &format!("origin: {ORIGIN}")]);
        if let Some(trusted) = &self.trusted {
            curl.arg("--cacert").arg(trusted);
        }
        curl
    }
}
