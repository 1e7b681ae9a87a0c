//! Texts in other languages than English, as people type them: `ja=夜に静かになりました`.

use std::str::FromStr;

/// A text, or the name of a file with one, and its language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InLanguage {
    /// ISO 639 code, such as `ja`.
    pub(crate) language: String,
    /// The text or the file.
    pub(crate) what: String,
}

impl FromStr for InLanguage {
    type Err = String;

    fn from_str(typed: &str) -> Result<InLanguage, String> {
        let Some((language, what)) = typed.split_once('=') else {
            return Err(format!("{typed:?} does not begin with a language, as in ja={typed}"));
        };
        let is_code = (2..=3).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_lowercase());
        match is_code {
            true => Ok(InLanguage { language: language.to_owned(), what: what.to_owned() }),
            false => Err(format!("{language:?} is no language code such as en, ja or de")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_stands_before_the_first_equals_sign() {
        let InLanguage { language, what } = "ja=a=b".parse().unwrap();
        assert_eq!((language.as_str(), what.as_str()), ("ja", "a=b"));
        for (typed, said) in [
            ("静か", "does not begin with a language"),
            ("ja-JP=静か", r#""ja-JP" is no language code"#),
            ("JA=静か", r#""JA" is no language code"#),
            ("=静か", r#""" is no language code"#),
            ("j\u{e4}=静か", "is no language code"),
        ] {
            let error = typed.parse::<InLanguage>().unwrap_err();
            assert!(error.contains(said), "{typed}: {error}");
        }
    }
}
