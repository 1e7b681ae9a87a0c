/// A language the server writes to people in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// What everybody gets who asks for none of the others.
    #[default]
    English,
    /// Japanese.
    Japanese,
    /// German.
    German,
}

impl Language {
    const ALL: [Language; 3] = [Language::English, Language::Japanese, Language::German];

    /// Its ISO 639-1 code.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Japanese => "ja",
            Language::German => "de",
        }
    }

    /// The language a browser's `Accept-Language` prefers among ours; the first wins a tie.
    pub fn accepted(header: &str) -> Option<Language> {
        let mut best: Option<(Language, f32)> = None;
        for item in header.split(',') {
            let (tag, rest) = item.split_once(';').unwrap_or((item, ""));
            let weight = match rest.trim().strip_prefix("q=") {
                None => 1.0,
                Some(text) => text.trim().parse().unwrap_or(0.0),
            };
            let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            let Ok(language) = primary.parse::<Language>() else { continue };
            if weight > best.map_or(0.0, |(_, weight)| weight) {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }
}

/// The text names no language of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLanguage(pub String);

impl std::fmt::Display for UnknownLanguage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not en, ja or de", self.0)
    }
}

impl std::error::Error for UnknownLanguage {}

impl std::str::FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Language, UnknownLanguage> {
        let found = Language::ALL.into_iter().find(|language| language.as_str() == text);
        found.ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_of_our_languages_is_accepted() {
        let accepted = |header| Language::accepted(header).map(Language::as_str);
        assert_eq!(accepted("ja,en-US;q=0.9,en;q=0.8"), Some("ja"));
        assert_eq!(accepted("fr-CH, fr;q=0.9, de-AT;q=0.7, en;q=0.3, *;q=0.1"), Some("de"));
        assert_eq!(accepted("en;q=0.5, DE;q=0.5"), Some("en"));
        assert_eq!(accepted("de;q=0, en;q=x"), None);
        assert_eq!(accepted("fr"), None);
        assert_eq!(accepted(""), None);
    }
}
