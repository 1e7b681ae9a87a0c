use std::path::Path;

use anyhow::{Context as _, Result, bail};
use otaru_release::{KeyId, PublicKey, RootDocument};
use zeroize::Zeroizing;

use super::Change;
use crate::commands::Context;
use crate::commands::key::{new, show};
use crate::keys::{self, KeyRole, KeySecret, NewFile, Passphrase, read_public_key};

/// The root document that is being made, and the files to write beside it.
pub(super) struct Next {
    pub(super) root: RootDocument,
    /// The root keys of the document before: one of them signs.
    trusted: Vec<PublicKey>,
    files: Vec<NewFile>,
    /// Asked for once, if at all.
    passphrase: Option<Option<Passphrase>>,
}

impl Next {
    /// The document after the one in a file. Whoever has the root key keeps the documents, too:
    /// that file needs no other proof.
    pub(super) fn after(path: &Path) -> Result<Next> {
        let bytes =
            std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
        let current = RootDocument::read_trusted(&bytes)
            .with_context(|| format!("{} is refused", path.display()))?;
        let number = current.number.checked_add(1).context("there is no higher number")?;
        let trusted = current.root_keys.clone();
        let root = RootDocument { number, ..current };
        Ok(Next { root, trusted, files: Vec::new(), passphrase: None })
    }

    /// Puts new keys in place of those there are.
    pub(super) fn replace_keys(
        &mut self,
        context: &Context<'_>,
        change: &Change,
        keep_release: bool,
    ) -> Result<()> {
        let (releases, roots) = (self.root.release_keys.len(), self.root.root_keys.len());
        self.add_keys(context, change)?;
        if !keep_release && self.root.release_keys.len() > releases {
            self.root.release_keys.drain(..releases);
        }
        if self.root.root_keys.len() > roots {
            self.root.root_keys.drain(..roots);
        }
        Ok(())
    }

    /// Puts new keys behind those there are.
    pub(super) fn add_keys(&mut self, context: &Context<'_>, change: &Change) -> Result<()> {
        if change.release {
            let key = self.draw(context, change, KeyRole::Release)?;
            self.root.release_keys.push(key);
        }
        if change.new_root {
            let key = self.draw(context, change, KeyRole::Root)?;
            self.root.root_keys.push(key);
        }
        if let Some(path) = &change.release_key {
            self.root.release_keys.push(read_public_key(path)?);
        }
        if let Some(path) = &change.new_root_key {
            self.root.root_keys.push(read_public_key(path)?);
        }
        Ok(())
    }

    /// Lets a key count for nothing from now on, whatever it counted for.
    pub(super) fn revoke(&mut self, revoked: KeyId) {
        let root = &mut self.root;
        root.root_keys.retain(|key| key.id() != revoked);
        root.release_keys.retain(|key| key.id() != revoked);
        root.server_key = root.server_key.filter(|key| key.id() != revoked);
        root.revoked.push(revoked);
    }

    fn draw(&mut self, context: &Context<'_>, change: &Change, role: KeyRole) -> Result<PublicKey> {
        if self.passphrase.is_none() {
            self.passphrase = Some(new::passphrase(context, change.no_passphrase)?);
        }
        let passphrase = self.passphrase.as_ref().and_then(Option::as_ref);
        let secret = KeySecret::random(change.algorithm)?;
        let file = keys::key_file(role, &secret, passphrase)?;
        self.files.push((format!("{}-{}.key", role.as_str(), self.root.number), 0o600, file));
        Ok(secret.key().public_key())
    }

    /// Signs, writes and sends. What is written is what devices will be asked to believe.
    pub(super) async fn finish(mut self, context: &Context<'_>, change: Change) -> Result<()> {
        let signer = change.signer.open(KeyRole::Root, context.may_ask())?;
        let public = signer.public_key();
        if !self.trusted.contains(&public) {
            bail!(
                "key {} does not sign the next root document: {} names other root keys",
                public.id(),
                change.root.display()
            );
        }
        let signed = signer.sign(&self.root.unsigned(&public))?;
        RootDocument::verify(&signed, &self.trusted)
            .context("devices would refuse the root document; nothing was written")?;
        let name = format!("root-{}.cbor", self.root.number);
        self.files.push((name.clone(), 0o644, Zeroizing::new(signed.clone())));
        keys::write_all(&change.out, &self.files)?;
        // The file first: what a server has and we have not could never be followed by another.
        for product in &change.product {
            let sent = context.client()?.add_root(product, &signed).await;
            sent.with_context(|| format!("{name} is written, and was not sent for {product}"))?;
        }
        let (mut shown, mut lines) = show::root_shown(&self.root);
        let file = change.out.join(&name).display().to_string();
        shown["file"] = file.clone().into();
        shown["sent_to"] = change.product.iter().map(ToString::to_string).collect();
        lines.push(("file", file));
        Ok(context.printer.object(&shown, &lines)?)
    }
}
