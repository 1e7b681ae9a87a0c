use otaru_fleet::Language;
use otaru_wire::OrganisationId;

/// What is written to people.
pub(crate) enum Letter {
    /// Somebody invited them.
    Invitation {
        /// Name of the organisation they are invited to.
        organisation: String,
    },
    /// They, or somebody else, said that they forgot their password.
    PasswordReset,
}

impl Letter {
    /// Subject and text.
    pub(crate) fn write(&self, language: Language, url: &str) -> (&'static str, String) {
        match (self, language) {
            (Letter::Invitation { organisation }, Language::English) => (
                "Your invitation",
                format!(
                    "Hello,\n\n\
                     you are invited to {}. Open this link and choose a password:\n\n\
                     {url}\n\n\
                     It works once, within 7 days. If you do not know why you got this mail, \
                     you need not do anything.\n",
                    called(organisation)
                ),
            ),
            (Letter::Invitation { organisation }, Language::German) => (
                "Ihre Einladung",
                format!(
                    "Guten Tag,\n\n\
                     Sie sind zu {} eingeladen. Öffnen Sie diesen Link und wählen Sie ein \
                     Passwort:\n\n\
                     {url}\n\n\
                     Er gilt einmal, 7 Tage lang. Wenn Sie nicht wissen, warum Sie diese Mail \
                     bekommen, brauchen Sie nichts zu tun.\n",
                    called(organisation)
                ),
            ),
            (Letter::Invitation { organisation }, Language::Japanese) => (
                "招待のお知らせ",
                format!(
                    "こんにちは。\n\n\
                     {}に招待されました。次のリンクを開いて、パスワードを設定してください。\n\n\
                     {url}\n\n\
                     このリンクは7日以内に一度だけ使えます。\
                     心当たりがない場合は、何もする必要はありません。\n",
                    called(organisation)
                ),
            ),
            (Letter::PasswordReset, Language::English) => (
                "A new password",
                format!(
                    "Hello,\n\n\
                     with this link you can choose a new password:\n\n\
                     {url}\n\n\
                     It works once, within an hour. If you did not ask for it, you need not do \
                     anything: your password stays as it is.\n"
                ),
            ),
            (Letter::PasswordReset, Language::German) => (
                "Ein neues Passwort",
                format!(
                    "Guten Tag,\n\n\
                     mit diesem Link können Sie ein neues Passwort wählen:\n\n\
                     {url}\n\n\
                     Er gilt einmal, eine Stunde lang. Wenn Sie nicht darum gebeten haben, \
                     brauchen Sie nichts zu tun: Ihr Passwort bleibt, wie es ist.\n"
                ),
            ),
            (Letter::PasswordReset, Language::Japanese) => (
                "パスワードの再設定",
                format!(
                    "こんにちは。\n\n\
                     次のリンクから新しいパスワードを設定できます。\n\n\
                     {url}\n\n\
                     このリンクは1時間以内に一度だけ使えます。\
                     お心当たりがない場合は、何もする必要はありません。\
                     パスワードは変わりません。\n"
                ),
            ),
        }
    }
}

/// The one organisation a small server has means nothing to anybody by its name.
fn called(organisation: &str) -> &str {
    if organisation == OrganisationId::DEFAULT_NAME { "Otaru" } else { organisation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_the_link_alone_on_a_line_in_every_language() {
        let url = "https://ota.example/reset#code";
        let invitation = Letter::Invitation { organisation: "Clockworks".to_owned() };
        for language in [Language::English, Language::German, Language::Japanese] {
            for letter in [&invitation, &Letter::PasswordReset] {
                let (subject, body) = letter.write(language, url);
                assert!(!subject.is_empty());
                assert!(body.lines().any(|line| line == url), "{body}");
            }
            assert!(invitation.write(language, url).1.contains("Clockworks"));
        }
    }
}
