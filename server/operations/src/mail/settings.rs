use std::net::IpAddr;
use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use url::{Host, Url};

/// How mails leave this server. It has no `Debug`: the URL may hold a password.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtps://USER:PASSWORD@HOST[:465]`, or `smtp://…[:587]` with STARTTLS. `smtp://` to a
    /// loopback address goes without TLS, and so does one with `?tls=none`.
    pub url: String,
    /// Who mails are from: `otaru@example.org` or `Otaru <otaru@example.org>`.
    pub from: String,
    /// Certificate authority of the mail server, PEM, if it is no public one.
    pub ca_pem: Option<String>,
}

/// Which setting of [`MailSettings`] cannot be used. Never shows the URL.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL.
    #[error("mail.url is not smtp://HOST or smtps://HOST: {0}")]
    Url(&'static str),
    /// Who mails are from.
    #[error("mail.from is no e-mail address")]
    From(#[source] lettre::address::AddressError),
    /// TLS or the certificate authority.
    #[error("mail.ca or TLS cannot be used")]
    Tls(#[source] lettre::transport::smtp::Error),
}

impl MailSettings {
    pub(super) fn open(
        &self,
        limit: Duration,
    ) -> Result<(AsyncSmtpTransport<Tokio1Executor>, Mailbox), MailError> {
        let from: Mailbox = self.from.parse().map_err(MailError::From)?;
        let url = Url::parse(&self.url).map_err(|_| MailError::Url("it is no URL"))?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(MailError::Url("it has no host"))?;
        let host = host.trim_matches(['[', ']']);
        let (tls, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Tls::Wrapper(self.tls(host)?), 465),
            ("smtp", None) if !is_loopback(&url) => (Tls::Required(self.tls(host)?), 587),
            ("smtp", None) if self.ca_pem.is_some() => (Tls::Required(self.tls(host)?), 587),
            ("smtp", None) => (Tls::None, 25),
            ("smtp", Some("tls=none")) => (Tls::None, 25),
            ("smtp", Some("tls=required")) => (Tls::Required(self.tls(host)?), 587),
            ("smtp" | "smtps", Some(_)) => {
                return Err(MailError::Url("after ? only tls=none or tls=required is known"));
            }
            _ => return Err(MailError::Url("it has another scheme")),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(limit));
        if let Some(password) = url.password() {
            let credentials = Credentials::new(decoded(url.username())?, decoded(password)?);
            builder = builder.credentials(credentials);
        }
        Ok((builder.build(), from))
    }

    fn tls(&self, host: &str) -> Result<TlsParameters, MailError> {
        let mut tls = TlsParameters::builder(host.to_owned());
        if let Some(pem) = &self.ca_pem {
            let ca = Certificate::from_pem(pem.as_bytes()).map_err(MailError::Tls)?;
            tls = tls.add_root_certificate(ca);
        }
        tls.build_rustls().map_err(MailError::Tls)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        // The URL standard reads addresses only behind schemes it knows.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn decoded(part: &str) -> Result<String, MailError> {
    let bytes = percent_decode(part).ok_or(MailError::Url("a % stands for nothing"))?;
    String::from_utf8(bytes).map_err(|_| MailError::Url("user or password is not UTF-8"))
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str) -> Result<(), String> {
        let from = "Otaru <otaru@example.org>".to_owned();
        let settings = MailSettings { url: url.to_owned(), from, ca_pem: None };
        let opened = settings.open(Duration::from_secs(1));
        opened.map(drop).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn urls_that_can_be_used_are_told_from_others() {
        for good in [
            "smtp://127.0.0.1:2525",
            "smtp://[::1]:2525",
            "smtp://localhost",
            "smtp://relay.example?tls=none",
            "smtp://otaru:p%40ss%2Fword@mail.example:587",
            "smtps://otaru:secret@mail.example",
        ] {
            assert_eq!(open(good), Ok(()), "{good}");
        }
        for wrong in ["", "mail.example", "http://mail.example", "smtp:", "smtp://a?tls=maybe"] {
            let error = open(wrong).unwrap_err();
            assert!(error.starts_with("mail.url is not smtp://HOST or smtps://HOST"), "{error}");
        }
        let error = open("smtp://u:hunter2%zz@mail.example").unwrap_err();
        assert!(error.contains('%') && !error.contains("hunter2"), "{error}");
        let nobody = MailSettings {
            url: "smtp://localhost".to_owned(),
            from: "Otaru".to_owned(),
            ca_pem: None,
        };
        assert!(matches!(nobody.open(Duration::from_secs(1)), Err(MailError::From(_))));
    }
}
