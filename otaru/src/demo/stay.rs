//! The demo that somebody plays with: accounts, links, and what happens until Ctrl-C.

use std::time::Duration;

use anyhow::{Context, bail};
use otaru_client::{Client, ClientOptions, Device, Paging};

use super::{
    account::Account,
    folder::Kept,
    happenings::Happenings,
    story::{EMAIL, NEW, Story},
};

const DEVELOPER: &str = "developer@example.org";

/// How often the processes are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Story {
    /// Everything up to the update that waits, and the accounts of who plays.
    pub(crate) async fn set_up(&mut self) -> anyhow::Result<Kept> {
        let owner = self.prepare().await?;
        self.publish_and_offer(&owner).await?;
        self.run(&["user", "add", DEVELOPER, "--role", "admin"]).await?;
        let (owner, developer) = (Account::new(EMAIL)?, Account::new(DEVELOPER)?);
        self.let_in(&owner).await?;
        self.let_in(&developer).await?;
        let things = self.things.clone();
        let board = self.board.as_ref().map(|board| board.name);
        Ok(Kept { bad_release: self.bad_release, things, owner, developer, board })
    }

    /// Starts again what the folder holds.
    pub(crate) async fn go_on(&mut self, kept: Kept) -> anyhow::Result<Kept> {
        self.bad_release = kept.bad_release;
        self.things.clone_from(&kept.things);
        self.start_server().await?;
        for thing in &kept.things {
            // The server has other ports than last time.
            self.server()?.tell_device(&self.folder.join(thing))?;
            self.start_device(thing)?;
        }
        while self.devices_of_fleet().await?.iter().any(|device| !device.online) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.say(&format!("{} devices online again", kept.things.len()));
        Ok(kept)
    }

    /// Says how to come in, then what happens, for as long as the server runs.
    pub(crate) async fn stay(&mut self, kept: &Kept, folder_stays: bool) -> anyhow::Result<()> {
        let mut events = self.admin()?.listen(None).await?;
        self.say_how_to_come_in(kept, folder_stays).await?;
        let mut happenings = Happenings::default();
        loop {
            tokio::select! {
                event = events.next() => {
                    if let Some(line) = happenings.line(&event?) {
                        self.say(&line);
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => self.look_at_processes()?,
            }
        }
    }

    /// Gives somebody the password that was chosen for them.
    async fn let_in(&self, account: &Account) -> anyhow::Result<()> {
        let link = self.run(&["user", "reset-link", &account.email]).await?;
        let code = link["url"].as_str().and_then(|url| url.split_once('#'));
        let (_, code) = code.context("no code in the link")?;
        let session = self.client(None)?.reset_password(code, &account.password).await?;
        Ok(session.end().await?)
    }

    async fn say_how_to_come_in(&self, kept: &Kept, folder_stays: bool) -> anyhow::Result<()> {
        let url = &self.server()?.http_url;
        if !self.client(None)?.has_pages().await {
            self.tell(
                "\nThe pages are not in this build, so there is nothing to open in a browser: \
                 end this and run\n`make demo`, or `make web` and build again. The operator's \
                 commands below work without them.",
            );
        }
        let devices = self.devices_of_fleet().await?;
        let waiting = devices.iter().find(|device| !runs_new(device));
        let (shown, what) = match waiting {
            Some(device) => (device, format!("{NEW} waits to be installed")),
            None => (devices.first().context("no devices")?, format!("all run {NEW} already")),
        };
        self.tell(&format!("\nThe owner's app ({what})\n  {url}/devices/{}", shown.thing));
        self.tell_account(&kept.owner);
        // The cookie of one host name is not sent to the other.
        let console = url.replace("127.0.0.1", "localhost");
        self.tell(&format!(
            "\nThe developer's console (by another name, so that a browser can be signed in to both)\n  \
             {console}/console"
        ));
        self.tell_account(&kept.developer);
        self.tell(&format!(
            "\nThe operator's commands, in another terminal\n  export OTARU_SERVER={url}\n  \
             export OTARU_TOKEN_FILE={}\n  {} update start {} {NEW} --watch",
            self.server()?.admin_token.display(),
            std::env::current_exe()?.display(),
            devices.last().context("no devices")?.thing,
        ));
        let end = match folder_stays {
            true => format!("{} stays; the same command goes on", self.folder.display()),
            false => "nothing is left behind".to_owned(),
        };
        self.tell(&format!("\nWhat happens is shown here. Ctrl-C ends it all; {end}.\n"));
        Ok(())
    }

    fn tell_account(&self, Account { email, password }: &Account) {
        self.tell(&format!("  e-mail    {email}\n  password  {password}"));
    }

    /// Fails when the server has ended, and says when a device has: somebody may try that.
    fn look_at_processes(&mut self) -> anyhow::Result<()> {
        if let Some(server) = &mut self.server {
            server.process.check()?;
        }
        let mut gone = Vec::new();
        self.devices.retain_mut(|(thing, process)| match process.check() {
            Ok(()) => true,
            Err(_) => {
                gone.push(thing.clone());
                false
            }
        });
        for thing in gone {
            self.say(&format!("{thing}: its process has ended"));
        }
        Ok(())
    }

    async fn devices_of_fleet(&self) -> anyhow::Result<Vec<Device>> {
        let paging = Paging { limit: Some(200), cursor: None };
        let page = self.admin()?.list_devices(&paging).await?;
        if page.items.is_empty() {
            bail!("the server knows no devices");
        }
        Ok(page.items.into_iter().map(otaru_client::Object::into_inner).collect())
    }

    fn admin(&self) -> anyhow::Result<Client> {
        let path = &self.server()?.admin_token;
        let token = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        self.client(Some(token.trim().to_owned()))
    }

    fn client(&self, token: Option<String>) -> anyhow::Result<Client> {
        let server = self.server()?.http_url.clone();
        Ok(Client::new(&ClientOptions { server, token, ca_pem: None })?)
    }
}

fn runs_new(device: &Device) -> bool {
    device.running.as_ref().and_then(|running| running.version.as_deref()) == Some(NEW)
}
