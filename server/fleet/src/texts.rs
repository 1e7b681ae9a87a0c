use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One text in several languages, by ISO 639-1 code; in JSON an object, or a string for English.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Texts(BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    English(String),
    Each(BTreeMap<String, String>),
}

impl From<Written> for Texts {
    fn from(written: Written) -> Texts {
        match written {
            Written::English(text) => Texts::english(text),
            Written::Each(texts) => Texts(texts),
        }
    }
}

impl FromIterator<(String, String)> for Texts {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(texts: I) -> Texts {
        Texts(texts.into_iter().collect())
    }
}

impl Texts {
    /// The language everybody gets who has no text of their own.
    const FALLBACK: &'static str = "en";

    /// Most languages of one text.
    const LANGUAGES_MAX: usize = 40;

    /// A text in English alone.
    pub fn english(text: String) -> Texts {
        Texts(BTreeMap::from([(Texts::FALLBACK.to_owned(), text)]))
    }

    /// The text for somebody who reads `language`: theirs, else English, else any; empty when
    /// there is none at all.
    pub fn read_in(&self, language: &str) -> &str {
        let found = self.0.get(language).or_else(|| self.0.get(Texts::FALLBACK));
        found.or_else(|| self.0.values().next()).map_or("", String::as_str)
    }

    /// Each text with its language.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(language, text)| (language.as_str(), text.as_str()))
    }

    /// What is wrong with it, if anything: a code that is none, or more than `bytes` of text.
    pub fn fault(&self, bytes: usize) -> Option<String> {
        let is_code = |code: &str| {
            (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase())
        };
        if let Some(code) = self.0.keys().find(|code| !is_code(code)) {
            return Some(format!("`{}` is no language code such as en or ja", code.escape_debug()));
        }
        if self.0.len() > Texts::LANGUAGES_MAX {
            return Some(format!("more than {} languages", Texts::LANGUAGES_MAX));
        }
        let long = self.iter().find(|(_, text)| text.len() > bytes);
        long.map(|(language, _)| format!("the text in {language} is longer than {bytes} bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Texts {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn everybody_gets_a_text_if_there_is_one() {
        let both = texts(r#"{"en":"Quieter","ja":"静か"}"#);
        assert_eq!((both.read_in("ja"), both.read_in("de")), ("静か", "Quieter"));
        assert_eq!(texts(r#"{"ja":"静か"}"#).read_in("de"), "静か");
        assert_eq!(texts(r#""Quieter""#).read_in("ja"), "Quieter");
        assert_eq!(texts("{}").read_in("en"), "");
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(texts(r#"{"en":"ok","ja":"よい"}"#).fault(16), None);
        assert!(texts(r#"{"English":"ok"}"#).fault(16).unwrap().contains("`English`"));
        assert!(texts(r#"{"ja":"静かな夜に"}"#).fault(5).unwrap().contains("in ja"));
    }
}
