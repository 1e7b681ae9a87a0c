//! The table of the API's error codes, from where they are made: refusals of operations, what
//! is wrong with an upload, and what the HTTP edge says by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

pub(super) const DOCUMENT: &str = "docs/errors.md";

const REFUSALS: [&str; 3] = [
    "server/operations/src/refusal.rs",
    "server/operations/src/refusal/code.rs",
    "server/operations/src/refusal/kind.rs",
];
const STATUSES: &str = "server/http/src/refusal.rs";
const EDGE: &str = "server/http/src";

/// Where uploads are read. Their codes arrive as one refusal, `ImageRefused`.
const UPLOADS: [(&str, &str); 3] = [
    ("image", "contract/release/src/image/error.rs"),
    ("manifest", "contract/release/src/manifest/error.rs"),
    ("root document", "contract/release/src/root/error.rs"),
];

const HEAD: &str = "\
# Error codes

Every error of the API is `application/problem+json` (RFC 9457) with a `code` for programs and a `detail` for
people; `found` and `expected` are there where a value was compared. A code never changes its meaning.
`release_yanked` and `release_untrusted` are 410 where the release is downloaded. The AWS data plane (`/things/…`,
`/topics/…`) answers as AWS does instead.

Generated from the code by `cargo xtask codegen`.

| code | status | meaning |
| --- | --- | --- |
";

/// Codes whose texts depend on the request alone, those of the edge above all.
const MEANINGS: [(&str, &str); 22] = [
    ("authority_unknown", "the certificate of this server is not of an authority of its own"),
    ("body_incomplete", "the connection ended before the body did"),
    ("body_timeout", "the body did not arrive in time"),
    ("body_too_large", "the body, or a field of the form, is longer than this route takes"),
    ("cross_site", "a browser sent its cookie along with the request of another origin's page"),
    ("internal", "a fault of the server; its log says more"),
    ("invalid_body", "the body is JSON of another shape, or a form with other fields"),
    ("invalid_field", "a field has a value that it cannot have; `detail` names the field"),
    ("invalid_header", "a header is missing, or has a value that it cannot have"),
    ("invalid_json", "the body is not JSON"),
    ("invalid_last_event_id", "Last-Event-ID is not the id of an event"),
    ("invalid_message", "the message of a gRPC call is not one, or not one alone"),
    ("invalid_path", "a value in the path is not one"),
    ("invalid_query", "a value in the query is not one"),
    ("method_not_allowed", "this route does not take that method; `Allow` says which"),
    ("not_ready", "the server is starting or stopping"),
    ("precondition_failed", "If-Match names another content, or Tus-Resumable another version"),
    ("range_unsatisfiable", "the range begins after the end"),
    ("route_unknown", "there is no such route"),
    ("setting_invalid", "a setting has a value that its description does not allow"),
    ("stream_ended", "a gRPC stream ended before its client left; listen again, and be told why"),
    ("unsupported_media_type", "the body is of another type than this route takes"),
];

/// Code to status and meaning.
type Table = BTreeMap<String, (u16, String)>;

/// The document as the code says it now.
pub(super) fn current() -> Result<String> {
    let read =
        |path: &str| fs::read_to_string(path).with_context(|| format!("could not read {path}"));
    let source = REFUSALS.into_iter().map(read).collect::<Result<Vec<_>>>()?.concat();
    let mut table = refusals(&source, &read(STATUSES)?).context(REFUSALS[0])?;
    let mut uploads = BTreeMap::new();
    for (what, path) in UPLOADS {
        for (code, meaning) in upload_codes(&read(path)?).context(path)? {
            uploads.entry(code).or_insert(format!("{what}: {meaning}"));
        }
    }
    for (code, meaning) in uploads {
        table.entry(code).or_insert((422, meaning));
    }
    let mut sources = Vec::new();
    for path in crate::tidy::rust_files(Path::new(EDGE))? {
        sources.push(fs::read_to_string(&path)?);
    }
    for (code, status) in edge_codes(&sources)? {
        table.insert(code, (status, String::new()));
    }
    for (code, (_, meaning)) in &mut table {
        if !meaning.contains(char::is_alphabetic) {
            let known = MEANINGS.iter().find(|(known, _)| known == code);
            let (_, known) =
                known.with_context(|| format!("`{code}` explains nothing: add it to MEANINGS"))?;
            (*known).clone_into(meaning);
        }
    }
    let row = |(code, (status, meaning)): (&String, &(u16, String))| {
        format!("| `{code}` | {status} | {meaning} |\n")
    };
    Ok(HEAD.to_owned() + &table.iter().map(row).collect::<String>())
}

/// Codes of `Refusal`, with what its message says.
fn refusals(source: &str, statuses: &str) -> Result<Table> {
    let meanings = messages(source)?;
    let kinds: BTreeMap<_, _> = arms(source, "fn kind(")?.into_iter().flat_map(each).collect();
    let statuses: BTreeMap<_, _> = arms(statuses, "fn from(")?.into_iter().flat_map(each).collect();
    let mut table = Table::new();
    for (variants, code) in arms(source, "fn code(")? {
        // The one whose code is that of an upload.
        let Some(code) = code.strip_prefix('"').map(|code| code.trim_matches('"')) else {
            continue;
        };
        let first = variants.first().context("an arm without a pattern")?;
        let kind = kinds.get(first).with_context(|| format!("{first} has no kind"))?;
        let status = statuses.get(kind).with_context(|| format!("{kind} has no status"))?;
        let of = |variant: &String| meanings.get(variant).cloned();
        let meaning = variants.iter().filter_map(of).collect::<Vec<_>>().join("; ");
        table.insert(code.to_owned(), (number(status)?, meaning));
    }
    Ok(table)
}

/// `#[error("…")]` of each variant; what is filled in is left open.
fn messages(source: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for part in source.split("#[error(").skip(1) {
        let (attribute, rest) = part.split_once(")]\n").context("an attribute has no end")?;
        let message = attribute.split('"').nth(1).unwrap_or_default();
        let name: String = rest.trim_start().chars().take_while(|c| c.is_alphanumeric()).collect();
        found.insert(name, open(message));
    }
    Ok(found)
}

/// `thing name {0} is taken` says `thing name … is taken`; doubled braces are braces.
fn open(message: &str) -> String {
    let mut text = String::new();
    let escaped = message.replace("{{", "\u{1}").replace("}}", "\u{2}");
    for (number, part) in escaped.split('{').enumerate() {
        match part.split_once('}') {
            Some((_, rest)) if number > 0 => text.extend(["…", rest]),
            _ => text.push_str(part),
        }
    }
    text.replace('\u{1}', "{").replace('\u{2}', "}")
}

/// Codes of an error of `contract/release`, with the documentation of its variants.
fn upload_codes(source: &str) -> Result<Vec<(String, String)>> {
    let mut meanings = BTreeMap::new();
    let mut doc: Vec<&str> = Vec::new();
    let (_, declared) = source.split_once("pub enum ").context("no enum")?;
    let (declared, _) = declared.split_once("\n}").context("the enum has no end")?;
    for line in declared.lines() {
        match line.strip_prefix("    ").filter(|line| !line.starts_with(' ')) {
            Some(line) if line.starts_with("///") => doc.push(line[3..].trim()),
            Some(line) if line.starts_with(char::is_uppercase) => {
                let name: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
                meanings.insert(name, std::mem::take(&mut doc).join(" "));
            }
            _ => {}
        }
    }
    let mut codes = Vec::new();
    for (variants, code) in arms(source, "fn code(")? {
        let Some(code) = code.strip_prefix('"').map(|code| code.trim_matches('"')) else {
            continue;
        };
        let meaning: Vec<_> =
            variants.iter().filter_map(|variant| meanings.get(variant).cloned()).collect();
        codes.push((code.to_owned(), meaning.join(" ")));
    }
    Ok(codes)
}

/// The codes that the edge gives by name, with their statuses.
fn edge_codes(sources: &[String]) -> Result<BTreeMap<String, u16>> {
    let mut codes = BTreeMap::new();
    for source in sources {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, made) in source.match_indices("ApiError::new(") {
            let arguments = source[at + made.len()..].trim_start();
            let Some((status, rest)) = arguments.split_once(',') else { continue };
            let Some((code, _)) =
                rest.trim_start().strip_prefix('"').and_then(|r| r.split_once('"'))
            else {
                continue;
            };
            // `status` is set shortly before.
            let named = [status, &source[..at]].into_iter().find_map(|text| {
                let (_, name) = text.rsplit_once("StatusCode::")?;
                Some(name.chars().take_while(|c| c.is_uppercase() || *c == '_').collect::<String>())
            });
            codes.insert(code.to_owned(), number(&named.context("an error without a status")?)?);
        }
    }
    Ok(codes)
}

/// The arms of the first `match` in a function: patterns without what they hold, and value.
fn arms(source: &str, function: &str) -> Result<Vec<(Vec<String>, String)>> {
    let (_, body) = source.split_once(function).with_context(|| format!("no {function}"))?;
    let (_, body) = body.split_once("match ").context("no match")?;
    let (_, body) = body.split_once(" {\n").context("no match")?;
    let end = body.find("\n    }").context("the function has no end")?;
    let body = body[..end].replace("{ .. }", "").replace("{ code, .. }", "").replace("(_)", "");
    let pieces: Vec<&str> = body.split("=>").collect();
    let mut patterns = pieces.first().copied().unwrap_or_default();
    let mut arms = Vec::new();
    for piece in &pieces[1..] {
        let piece = piece.trim_start_matches(|c: char| c.is_whitespace() || c == '{');
        let end = piece.find([',', '}', '\n']).unwrap_or(piece.len());
        let names = patterns.split('|').map(name_of).filter(|name| !name.is_empty()).collect();
        arms.push((names, name_of(&piece[..end])));
        patterns = piece[end..].trim_start_matches(|c: char| " ,}\n;".contains(c));
    }
    Ok(arms)
}

/// `Kind::Invalid` and `StatusCode::GONE` without their type.
fn name_of(path: &str) -> String {
    path.trim().rsplit("::").next().unwrap_or_default().trim().to_owned()
}

fn each((names, value): (Vec<String>, String)) -> impl Iterator<Item = (String, String)> {
    names.into_iter().map(move |name| (name, value.clone()))
}

fn number(status: &str) -> Result<u16> {
    Ok(match status {
        "BAD_REQUEST" => 400,
        "UNAUTHORIZED" => 401,
        "FORBIDDEN" => 403,
        "NOT_FOUND" => 404,
        "METHOD_NOT_ALLOWED" => 405,
        "REQUEST_TIMEOUT" => 408,
        "CONFLICT" => 409,
        "GONE" => 410,
        "PRECONDITION_FAILED" => 412,
        "PAYLOAD_TOO_LARGE" => 413,
        "UNSUPPORTED_MEDIA_TYPE" => 415,
        "RANGE_NOT_SATISFIABLE" => 416,
        "UNPROCESSABLE_ENTITY" => 422,
        "INSUFFICIENT_STORAGE" => 507,
        "TOO_MANY_REQUESTS" => 429,
        "INTERNAL_SERVER_ERROR" => 500,
        "SERVICE_UNAVAILABLE" => 503,
        other => bail!("codegen does not know the number of StatusCode::{other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const REFUSAL: &str = r#"
pub enum Refusal {
    #[error("sign in")]
    Unauthenticated,
    #[error("thing name {0} is taken, see /app/devices/{{thing}}")]
    ThingNameTaken(String),
    #[error("sequence {found} is not above {last}; use {}", last + 1)]
    SequenceTaken { found: u64, last: u64 },
    #[error("{detail}")]
    ImageRefused { code: &'static str, detail: String },
}

impl Refusal {
    pub fn code(&self) -> &'static str {
        use Refusal::*;
        match self {
            Unauthenticated => "unauthenticated",
            ThingNameTaken(_) | SequenceTaken { .. } => "taken",
            ImageRefused { code, .. } => code,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Unauthenticated => Kind::Unauthenticated,
            ThingNameTaken(_)
            | SequenceTaken { .. } => {
                Kind::Conflict
            }
            ImageRefused { .. } => Kind::Unprocessable,
        }
    }
}
"#;

    const STATUS: &str = "
    fn from(refusal: Refusal) -> ApiError {
        let status = match refusal.kind() {
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Conflict => StatusCode::CONFLICT,
        };
    }
";

    #[test]
    fn refusals_have_the_status_of_their_kind_and_their_messages_left_open() {
        let table = refusals(REFUSAL, STATUS).unwrap();
        let lines: Vec<String> =
            table.iter().map(|(code, row)| format!("{code} {} {}\n", row.0, row.1)).collect();
        expect![[r#"
            taken 409 thing name … is taken, see /app/devices/{thing}; sequence … is not above …; use …
            unauthenticated 401 sign in
        "#]]
        .assert_eq(&lines.concat());
    }

    #[test]
    fn codes_of_the_edge_are_found_with_their_statuses() {
        let source = r#"
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", detail);
            let status = StatusCode::GONE;
            ApiError::new(
                status, "gone", detail);
            ApiError::new(status, refusal.code(), &refusal);
            #[cfg(test)]
            ApiError::new(StatusCode::OK, "only_a_test", detail);
        "#;
        let codes = edge_codes(&[source.to_owned()]).unwrap();
        let expected = [("gone".to_owned(), 410), ("invalid_json".to_owned(), 400)];
        assert_eq!(codes, BTreeMap::from(expected));
    }

    /// Counted by other means than they were read.
    #[test]
    fn every_code_of_a_refusal_is_in_the_document() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let document = fs::read_to_string(root.join(DOCUMENT)).unwrap();
        let mut codes = 0;
        for path in REFUSALS.into_iter().chain(UPLOADS.map(|(_, path)| path)) {
            let source = fs::read_to_string(root.join(path)).unwrap();
            for line in source.lines() {
                let Some((_, code)) = line.split_once("=> \"") else { continue };
                let code = code.split('"').next().unwrap();
                if !code.contains(|c: char| !c.is_ascii_lowercase() && c != '_') {
                    assert!(document.contains(&format!("| `{code}` |")), "{code} of {path}");
                    codes += 1;
                }
            }
        }
        assert!(codes > 40, "only {codes} were found");
    }
}
