//! The second release of a demo with real firmware: it differs by little, and comes by patch.

use std::time::Duration;

use super::{
    owner::Owner,
    story::{NEW, PRODUCT, Story},
};

const NEXT: &str = "1.0.6";

impl Story {
    /// A second release, which differs from the first by little.
    pub(super) async fn go_on_by_patch(&mut self, owner: &Owner) -> anyhow::Result<()> {
        self.make_image(NEXT, false).await?;
        let sha256 = self.publish(NEXT).await?;
        let list = ["release", "patch", "list", NEXT, "--product", PRODUCT];
        while !is_patch_ready(&self.run(&list).await?) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.say(&format!("The server has made a patch from {NEW} to {NEXT}"));
        owner.wait_until_offered(NEXT).await?;
        self.install(owner, NEXT).await?;
        self.check_end(owner, NEXT, &sha256).await?;
        self.say_what_was_received(NEXT);
        Ok(())
    }

    /// In the words of the devices' own logs.
    pub(super) fn say_what_was_received(&self, version: &str) {
        let wanted = format!("update to {version}: ");
        for (thing, process) in &self.devices {
            let said = process.said();
            let found = said.lines().find_map(|line| {
                let (_, rest) = line.split_once(&wanted)?;
                let (received, rest) = rest.split_once(" bytes received for ")?;
                Some((received.to_owned(), rest.split_once('"')?.0.to_owned()))
            });
            if let Some((received, made)) = found {
                self.say(&format!("{thing}: {received} bytes received for {made} of {version}"));
            }
        }
    }
}

/// Whether any device's firmware has its patch.
fn is_patch_ready(list: &serde_json::Value) -> bool {
    let patches = list["items"].as_array().or(list.as_array());
    let mut patches = patches.into_iter().flatten();
    patches.any(|patch| patch["base_version"] == NEW && patch["state"] == "ready")
}
