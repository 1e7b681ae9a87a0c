//! What owners read about a release: notes, and why it is urgent.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use otaru_client::{Safety, Texts};

use crate::exit::WrongUsage;
use crate::in_language::InLanguage;

#[derive(Args, Debug)]
pub(super) struct Words {
    /// What changed, for owners, in English
    #[arg(long, value_name = "TEXT", conflicts_with = "notes_file")]
    notes: Option<String>,
    /// File with the notes in English
    #[arg(long, value_name = "FILE")]
    notes_file: Option<PathBuf>,
    /// Notes in another language, such as ja=…; may be repeated
    #[arg(long, value_name = "LANGUAGE=TEXT")]
    notes_in: Vec<InLanguage>,
    /// File with the notes in another language, such as ja=notes.ja.txt; may be repeated
    #[arg(long, value_name = "LANGUAGE=FILE")]
    notes_file_in: Vec<InLanguage>,
    /// Why it is urgent, for owners, in English; who has not decided by --deadline-hours gets it
    /// at night
    #[arg(long, value_name = "REASON", requires = "deadline_hours")]
    safety: Option<String>,
    /// The reason in another language, such as ja=…; may be repeated
    #[arg(long, value_name = "LANGUAGE=REASON", requires = "safety")]
    safety_in: Vec<InLanguage>,
    /// Hours after publishing until a release with --safety is installed at night, 1 to 8760
    #[arg(long, value_name = "N", requires = "safety",
        value_parser = clap::value_parser!(u32).range(1..=8_760))]
    deadline_hours: Option<u32>,
}

impl Words {
    /// The notes in each language.
    pub(super) fn notes(&self) -> Result<Texts> {
        let mut notes = Vec::new();
        notes.extend(self.notes.clone().map(|text| ("en".to_owned(), text)));
        if let Some(path) = &self.notes_file {
            notes.push(("en".to_owned(), read(path)?));
        }
        notes.extend(self.notes_in.iter().cloned().map(pair));
        for InLanguage { language, what } in &self.notes_file_in {
            notes.push((language.clone(), read(Path::new(what))?));
        }
        once_each("notes", notes)
    }

    /// What makes it urgent, if anything does.
    pub(super) fn safety(&self) -> Result<Option<Safety>> {
        let (Some(reason), Some(deadline_hours)) = (&self.safety, self.deadline_hours) else {
            return Ok(None);
        };
        let english = ("en".to_owned(), reason.clone());
        let others = self.safety_in.iter().cloned().map(pair);
        let reason = once_each("safety", std::iter::once(english).chain(others))?;
        Ok(Some(Safety { deadline_hours, reason }))
    }
}

fn pair(InLanguage { language, what }: InLanguage) -> (String, String) {
    (language, what)
}

fn read(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("could not read {}", path.display()))?;
    Ok(text.trim_end().to_owned())
}

fn once_each(what: &str, texts: impl IntoIterator<Item = (String, String)>) -> Result<Texts> {
    let mut each = Texts::new();
    for (language, text) in texts {
        if each.contains_key(&language) {
            return Err(WrongUsage(format!("{what} in {language} is given twice")).into());
        }
        each.insert(language, text);
    }
    Ok(each)
}
