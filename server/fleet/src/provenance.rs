//! Where a release comes from: its source, and the list of what is in it.

use otaru_wire::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The source a release was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Address of the repository.
    pub repository: String,
    /// Commit, 7 to 64 lower hex digits.
    pub commit: String,
}

impl Source {
    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<String> {
        let Source { repository, commit } = self;
        let is_address = ["https://", "http://", "ssh://", "git://", "git@"]
            .iter()
            .any(|scheme| repository.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
        if !is_address || repository.len() > 512 || !repository.chars().all(is_plain) {
            return Some(format!("`{repository}` is not the address of a repository"));
        }
        let is_commit = (7..=64).contains(&commit.len())
            && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (!is_commit).then(|| format!("`{commit}` is not a commit of 7 to 64 lower hex digits"))
    }
}

/// The standard a software bill of materials is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SbomFormat {
    /// CycloneDX, in JSON.
    #[serde(rename = "cyclonedx")]
    CycloneDx,
    /// SPDX, in JSON.
    #[serde(rename = "spdx")]
    Spdx,
}

impl SbomFormat {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            SbomFormat::CycloneDx => "cyclonedx",
            SbomFormat::Spdx => "spdx",
        }
    }

    /// Its registered media type.
    pub fn media_type(self) -> &'static str {
        match self {
            SbomFormat::CycloneDx => "application/vnd.cyclonedx+json",
            SbomFormat::Spdx => "application/spdx+json",
        }
    }
}

/// What is known about a software bill of materials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sbom {
    /// Its standard.
    pub format: SbomFormat,
    /// The standard's version, such as `1.6`.
    pub spec_version: String,
    /// How many components or packages it lists.
    pub components: u64,
    /// SHA-256 of the document.
    pub sha256: Digest,
    /// Its bytes.
    pub size: u64,
}

/// Why a document is no software bill of materials that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnSbom {
    /// What it was found to be.
    pub found: String,
    /// What it should have been.
    pub expected: &'static str,
}

/// What the standards call their own documents, for who sent another one.
const EXPECTED: &str = "CycloneDX JSON 1.2 to 1.x (`bomFormat`), SPDX JSON 2.2 or 2.3 \
                        (`spdxVersion`) or SPDX 3.0 JSON-LD (`@context`)";

impl Sbom {
    /// Reads a document by its own discriminator; one that has none is refused, and one that
    /// lacks what its standard demands.
    pub fn read(document: &[u8]) -> Result<Sbom, NotAnSbom> {
        let refused = |found: String| NotAnSbom { found, expected: EXPECTED };
        let json: Value = serde_json::from_slice(document)
            .map_err(|error| refused(format!("something else than JSON ({error})")))?;
        let (format, spec_version, components) = if let Some(format) = json.get("bomFormat") {
            cyclonedx(format, &json)?
        } else if let Some(version) = json.get("spdxVersion") {
            spdx_2(version, &json)?
        } else if let Some(context) = json.get("@context") {
            spdx_3(context, &json)?
        } else {
            return Err(refused("JSON without `bomFormat`, `spdxVersion` and `@context`".into()));
        };
        let (sha256, size) = (Digest::of(document), document.len() as u64);
        Ok(Sbom { format, spec_version, components, sha256, size })
    }
}

type Read = (SbomFormat, String, u64);

fn cyclonedx(format: &Value, json: &Value) -> Result<Read, NotAnSbom> {
    if format != "CycloneDX" {
        return refuse(format!("bomFormat {format}"), "bomFormat \"CycloneDX\"");
    }
    let expected = "a specVersion of CycloneDX JSON, 1.2 to 1.x";
    let Some(version) = json["specVersion"].as_str() else {
        return refuse("no specVersion".into(), expected);
    };
    let minor = version.strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
    if minor.is_none_or(|minor| minor < 2) {
        return refuse(format!("specVersion {version}"), expected);
    }
    // Both may be left out: a firmware of nothing but its own code.
    let components = list(json, "components", |component| {
        component["name"].is_string() && component["type"].is_string()
    })?;
    Ok((SbomFormat::CycloneDx, version.to_owned(), components))
}

fn spdx_2(version: &Value, json: &Value) -> Result<Read, NotAnSbom> {
    let known = version.as_str().filter(|version| matches!(*version, "SPDX-2.2" | "SPDX-2.3"));
    let Some(known) = known else {
        return refuse(format!("spdxVersion {version}"), "spdxVersion SPDX-2.2 or SPDX-2.3");
    };
    if json["SPDXID"] != "SPDXRef-DOCUMENT" {
        return refuse(format!("SPDXID {}", json["SPDXID"]), "SPDXID SPDXRef-DOCUMENT");
    }
    for member in ["name", "dataLicense", "documentNamespace"] {
        if !json[member].is_string() {
            return refuse(format!("no {member}"), "name, dataLicense and documentNamespace");
        }
    }
    let components = list(json, "packages", |package| {
        package["name"].is_string() && package["SPDXID"].is_string()
    })?;
    Ok((SbomFormat::Spdx, known.trim_start_matches("SPDX-").to_owned(), components))
}

fn spdx_3(context: &Value, json: &Value) -> Result<Read, NotAnSbom> {
    let version = context.as_str().and_then(|context| {
        context.strip_prefix("https://spdx.org/rdf/")?.strip_suffix("/spdx-context.jsonld")
    });
    let Some(version) = version.filter(|version| version.starts_with("3.0")) else {
        let expected = "the @context https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
        return refuse(format!("@context {context}"), expected);
    };
    let elements = json["@graph"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !elements.iter().any(|element| element["type"] == "SpdxDocument") {
        return refuse("a graph without an SpdxDocument".into(), "an SpdxDocument in `@graph`");
    }
    let packages = elements.iter().filter(|element| element["type"] == "software_Package");
    Ok((SbomFormat::Spdx, version.to_owned(), packages.count() as u64))
}

/// How long a list of the document is; each entry must be what the standard says.
fn list(json: &Value, name: &str, is_entry: fn(&Value) -> bool) -> Result<u64, NotAnSbom> {
    let entries = match &json[name] {
        Value::Null => &[][..],
        Value::Array(entries) => entries,
        _ => return refuse(format!("{name} that are no list"), "a list"),
    };
    match entries.iter().position(|entry| !is_entry(entry)) {
        Some(at) => refuse(format!("{name}[{at}] without name and type"), "a name in each entry"),
        None => Ok(entries.len() as u64),
    }
}

fn refuse<T>(found: String, expected: &'static str) -> Result<T, NotAnSbom> {
    Err(NotAnSbom { found, expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(document: &str, expected: Expect) {
        let said = match Sbom::read(document.as_bytes()) {
            Ok(Sbom { format, spec_version, components, .. }) => {
                format!("{} {spec_version}, {components}", format.as_str())
            }
            Err(refused) => format!("found {}", refused.found),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn each_standard_is_known_by_its_own_discriminator() {
        check(
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,
                "components":[{"type":"library","name":"mbedtls","version":"3.6.2"}]}"#,
            expect!["cyclonedx 1.6, 1"],
        );
        check(r#"{"bomFormat":"CycloneDX","specVersion":"1.4"}"#, expect!["cyclonedx 1.4, 0"]);
        check(
            r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"clock",
                "dataLicense":"CC0-1.0","documentNamespace":"https://example.org/clock",
                "packages":[{"name":"lwip","SPDXID":"SPDXRef-lwip"}]}"#,
            expect!["spdx 2.3, 1"],
        );
        check(
            r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[
                {"type":"SpdxDocument"},{"type":"software_Package"},{"type":"software_Package"}]}"#,
            expect!["spdx 3.0.1, 2"],
        );
    }

    #[test]
    fn what_is_none_says_what_it_is() {
        check(
            "<bom/>",
            expect!["found something else than JSON (expected value at line 1 column 1)"],
        );
        check("{}", expect!["found JSON without `bomFormat`, `spdxVersion` and `@context`"]);
        check("[1]", expect!["found JSON without `bomFormat`, `spdxVersion` and `@context`"]);
        check(
            r#"{"bomFormat":"Other","specVersion":"1.6"}"#,
            expect![[r#"found bomFormat "Other""#]],
        );
        check(r#"{"bomFormat":"CycloneDX"}"#, expect!["found no specVersion"]);
        check(r#"{"bomFormat":"CycloneDX","specVersion":"2.0"}"#, expect!["found specVersion 2.0"]);
        check(
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library"}]}"#,
            expect!["found components[0] without name and type"],
        );
        check(
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":{}}"#,
            expect!["found components that are no list"],
        );
        check(r#"{"spdxVersion":"SPDX-1.0"}"#, expect![[r#"found spdxVersion "SPDX-1.0""#]]);
        check(
            r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"x"}"#,
            expect!["found no dataLicense"],
        );
        check(
            r#"{"@context":"https://schema.org"}"#,
            expect![[r#"found @context "https://schema.org""#]],
        );
        check(
            r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}"#,
            expect!["found a graph without an SpdxDocument"],
        );
    }

    #[test]
    fn source_is_a_repository_and_a_commit() {
        let source = |repository: &str, commit: &str| Source {
            repository: repository.to_owned(),
            commit: commit.to_owned(),
        };
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(source("https://example.org/clock.git", commit).fault(), None);
        assert_eq!(source("git@example.org:clock.git", "0123456").fault(), None);
        for (repository, commit) in [
            ("", commit),
            ("https://", commit),
            ("javascript:alert(1)", commit),
            ("https://example.org/a b", commit),
            ("https://example.org/clock", "main"),
            ("https://example.org/clock", "012345"),
            ("https://example.org/clock", "0123456G"),
        ] {
            assert!(source(repository, commit).fault().is_some(), "{repository} {commit}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_document_panics(
            head in proptest::sample::select(vec![
                r#""bomFormat":"CycloneDX","specVersion":"1.6""#,
                r#""spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT""#,
                r#""@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld""#,
            ]),
            member in "(components|packages|@graph|name|dataLicense)",
            value in r#"(\[|\{|\}|\]|"type"|:|,|"name"|1|null|"[a-z]*"){0,12}"#,
        ) {
            let _ = Sbom::read(value.as_bytes());
            let _ = Sbom::read(format!("{{{head},\"{member}\":{value}}}").as_bytes());
        }
    }
}
