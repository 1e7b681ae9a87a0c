use bytes::Bytes;
use otaru_wire::{ProductName, ReleaseVersion, ThingName};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Approval, Client, ClientError, Object, Page, Paging, Problem, Running, Texts};

/// A published firmware.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Release {
    /// Product it is for.
    pub product: String,
    /// Its version.
    pub version: String,
    /// `draft`, `waiting` for approval, `rejected`, `published` or `yanked`.
    pub state: String,
    /// Who approved or rejected it; `None` of one that needed no approval.
    pub approval: Option<Approval>,
    /// SHA-256 of its image: its identity.
    pub sha256: String,
    /// Bytes of its image.
    pub size: u64,
    /// Rises with every release of the product.
    pub sequence: u64,
    /// `stable`, `beta`, …
    pub channel: String,
    /// What changed, for owners.
    #[serde(default)]
    pub notes: String,
    /// That, in each language.
    #[serde(default)]
    pub notes_by_language: Texts,
    /// What makes it urgent, if anything.
    pub safety: Option<Safety>,
    /// What was read from its image.
    pub image: Option<ImageRecord>,
    /// What its publisher should look at.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// What it was built from.
    pub source: Option<Source>,
    /// Its software bill of materials.
    pub sbom: Option<Sbom>,
    /// The key that signed its manifest, as 16 hex digits.
    pub signer_key_id: Option<String>,
    /// `trusted`, `key_revoked` or `key_retired`; `None` of a server that does not say.
    pub trust: Option<String>,
    /// Whether it was withdrawn.
    pub yanked: bool,
    /// Why.
    pub yank_reason: Option<String>,
    /// When it was published, RFC 3339.
    pub created_at: Option<String>,
}

/// What was read from an image; of a raw one little more than the chip is known.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ImageRecord {
    /// `esp_idf` or `raw`.
    pub format: String,
    /// The chip it was built for.
    pub chip: String,
    /// Lowest chip revision it runs on, major × 100 + minor.
    pub min_revision: u16,
    /// Highest chip revision it runs on.
    pub max_revision: Option<u16>,
    /// Flash size its header claims.
    pub flash_bytes: Option<u64>,
    /// How it reads flash.
    pub flash_mode: Option<String>,
    /// Project name.
    pub project: Option<String>,
    /// ESP-IDF version it was built with.
    pub idf_version: Option<String>,
    /// SHA-256 of the ELF file it was made of.
    pub elf_sha256: Option<String>,
    /// Anti-rollback counter.
    pub secure_version: u32,
    /// Secure Boot signature blocks behind it.
    pub signature_blocks: u8,
}

/// Something about a release that may be a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Warning {
    /// Stable name.
    pub code: String,
    /// What it is, for people.
    pub detail: String,
}

/// What a release was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Address of the repository.
    pub repository: String,
    /// Commit, in lower hex digits.
    pub commit: String,
}

/// A software bill of materials.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sbom {
    /// `cyclonedx` or `spdx`.
    pub format: String,
    /// The standard's version.
    pub spec_version: String,
    /// How many components it lists.
    pub components: u64,
    /// SHA-256 of the document.
    pub sha256: String,
}

/// A link to an image, for who has nothing but this.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DownloadLink {
    /// Where the image is.
    pub url: String,
    /// Until when, RFC 3339.
    pub expires_at: String,
}

/// A device with the release it runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RunningDevice {
    /// Its MQTT identity.
    pub thing: String,
    /// What it runs; `None` until it reported.
    pub running: Option<Running>,
    /// The release that is; `None` when it is none of ours.
    pub release: Option<RunningRelease>,
}

/// A release that a device runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RunningRelease {
    /// Its version.
    pub version: String,
    /// `published` or `yanked`.
    pub state: String,
    /// `trusted`, `key_revoked` or `key_retired`; `None` of a server that does not say.
    pub trust: Option<String>,
    /// What it was built from.
    pub source: Option<Source>,
    /// Its software bill of materials.
    pub sbom: Option<Sbom>,
}

/// What makes a release urgent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// Hours after publishing until it is installed at night.
    pub deadline_hours: u32,
    /// Why, for owners.
    pub reason: Texts,
}

/// A release to publish: everything about it is in the signed manifest.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// Product it is for.
    pub product: ProductName,
    /// The image.
    pub image: Bytes,
    /// The signed manifest.
    pub manifest: Vec<u8>,
    /// What changed, for owners.
    pub notes: Texts,
    /// What makes it urgent, if anything.
    pub safety: Option<Safety>,
    /// The channel; the server's usual one if not given.
    pub channel: Option<String>,
    /// Store it, and tell nobody yet.
    pub is_draft: bool,
    /// The project, where the image names none.
    pub project: Option<String>,
    /// What it was built from.
    pub source: Option<Source>,
    /// A software bill of materials.
    pub sbom: Option<Vec<u8>>,
    /// Codes of refusals to accept.
    pub accept: Vec<String>,
}

#[derive(Deserialize)]
struct NextSequence {
    next_sequence: u64,
}

impl Client {
    /// Publishes a release; `sent` is told the bytes of the image sent so far.
    pub async fn publish_release(
        &self,
        new: NewRelease,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Object<Release>, ClientError> {
        let upload = self.upload_image(new.image, sent).await?;
        let mut form = Form::new()
            .part("manifest", Part::bytes(new.manifest).file_name("manifest"))
            .text("upload", upload.clone());
        if !new.notes.is_empty() {
            form = form.text("notes_by_language", json!(new.notes).to_string());
        }
        if let Some(safety) = new.safety {
            form = form.text("safety", json!(safety).to_string());
        }
        if let Some(source) = new.source {
            form = form.text("source", json!(source).to_string());
        }
        for (name, text) in [("channel", new.channel), ("project", new.project)] {
            if let Some(text) = text {
                form = form.text(name, text);
            }
        }
        if new.is_draft {
            form = form.text("draft", "true");
        }
        if !new.accept.is_empty() {
            form = form.text("accept", new.accept.join(","));
        }
        if let Some(sbom) = new.sbom {
            form = form.part("sbom", Part::bytes(sbom).file_name("sbom.json"));
        }
        let path = releases(&new.product);
        let published = self.read(self.request(Method::POST, &path).multipart(form)).await;
        if published.as_ref().is_err_and(is_final) {
            self.cancel_upload(&upload).await;
        }
        published
    }

    /// Publishes a draft.
    pub async fn publish_draft(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Object<Release>, ClientError> {
        let path = [&releases(product)[..], &[version.as_str(), "publish"]].concat();
        self.read(self.request(Method::POST, &path)).await
    }

    /// Deletes a draft, or the image of a withdrawn release that nobody uses.
    pub async fn delete_release(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<(), ClientError> {
        self.delete(&[&releases(product)[..], &[version.as_str()]].concat()).await
    }

    /// The software bill of materials of a release.
    pub async fn show_sbom(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Bytes, ClientError> {
        let path = [&releases(product)[..], &[version.as_str(), "sbom"]].concat();
        let response = self.send(self.request(Method::GET, &path)).await?;
        response.bytes().await.map_err(|source| self.unreachable(source))
    }

    /// Devices of a product with the release each runs; with a version, those that run it.
    pub async fn list_running(
        &self,
        product: &ProductName,
        version: Option<&ReleaseVersion>,
        paging: &Paging,
    ) -> Result<Page<RunningDevice>, ClientError> {
        let mut query = paging.query();
        query.extend(version.map(|version| ("version", version.to_string())));
        self.get(&["api", "v1", "products", product.as_str(), "running"], &query).await
    }

    /// Releases of a product, newest first.
    pub async fn list_releases(
        &self,
        product: &ProductName,
        paging: &Paging,
    ) -> Result<Page<Release>, ClientError> {
        self.get(&releases(product), &paging.query()).await
    }

    /// One release.
    pub async fn show_release(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Object<Release>, ClientError> {
        self.get(&[&releases(product)[..], &[version.as_str()]].concat(), &[]).await
    }

    /// Withdraws a release and cancels its updates that are not yet restarting.
    pub async fn yank_release(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
        reason: Option<&str>,
    ) -> Result<Object<Release>, ClientError> {
        let path = [&releases(product)[..], &[version.as_str(), "yank"]].concat();
        self.post(&path, &json!({ "reason": reason })).await
    }

    /// Makes a link by which anybody fetches the image of a release for `lifetime_s` seconds.
    pub async fn create_download_link(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
        thing: Option<&ThingName>,
        lifetime_s: u32,
    ) -> Result<Object<DownloadLink>, ClientError> {
        let path = [&releases(product)[..], &[version.as_str(), "link"]].concat();
        self.post(&path, &json!({ "thing": thing, "lifetime_s": lifetime_s })).await
    }

    /// The sequence number the next manifest of a product must have.
    pub async fn next_sequence(&self, product: &ProductName) -> Result<u64, ClientError> {
        let path = ["api", "v1", "products", product.as_str(), "next-sequence"];
        self.get::<NextSequence>(&path, &[]).await.map(|next| next.next_sequence)
    }
}

/// Whether the image is of no use where it was refused: another manifest does not help.
fn is_final(refused: &ClientError) -> bool {
    refused.problem().is_some_and(|Problem { status, code, .. }| {
        matches!(status, 422 | 507) && !code.starts_with("manifest_")
    })
}

pub(crate) fn releases(product: &ProductName) -> [&str; 5] {
    ["api", "v1", "products", product.as_str(), "releases"]
}
