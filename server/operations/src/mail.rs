//! Mails to people: put into a queue, sent by one task, tried again when the mail server is
//! away. No answer and no transaction waits for them; a mail that is lost can be asked for
//! again.

mod letter;
mod settings;

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use otaru_fleet::Language;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::{debug, warn};

pub(crate) use letter::Letter;
pub use settings::{MailError, MailSettings};

use crate::App;

/// Mails that may wait; more are dropped, which takes a mail server that is long away.
const QUEUE: usize = 500;

/// How long the mail server may take for one mail.
const SEND_LIMIT: Duration = Duration::from_secs(60);

/// Pauses before each further try; after the last one a mail is given up.
const PAUSES_S: [u64; 6] = [1, 10, 60, 300, 900, 1_800];

/// Where operations put mails.
#[derive(Clone)]
pub struct Mailer {
    queue: mpsc::Sender<Mail>,
}

/// The other end: hand it to [`deliver_mail`].
pub struct Outbox {
    queue: mpsc::Receiver<Mail>,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

struct Mail {
    to: String,
    subject: &'static str,
    body: String,
}

impl Mailer {
    /// Checks the settings; connects to nothing yet.
    ///
    /// # Errors
    /// [`MailError`] names the setting that cannot be used.
    pub fn new(settings: &MailSettings) -> Result<(Mailer, Outbox), MailError> {
        let (transport, from) = settings.open(SEND_LIMIT)?;
        let (sender, queue) = mpsc::channel(QUEUE);
        Ok((Mailer { queue: sender }, Outbox { queue, transport, from }))
    }
}

impl App {
    /// Queues a letter, if this server sends mail.
    pub(crate) fn send_letter(&self, to: &str, letter: &Letter, language: Language, url: &str) {
        let Some(mailer) = &self.inner.mailer else { return };
        let (subject, body) = letter.write(language, url);
        let mail = Mail { to: to.to_owned(), subject, body };
        if mailer.queue.try_send(mail).is_err() {
            warn!("A mail was dropped: too many wait for the mail server");
        }
    }
}

/// A mail that was not sent yet.
struct Waiting {
    message: Message,
    tries: usize,
    due_at: Instant,
}

/// Sends what is queued until the server ends.
pub async fn deliver_mail(mut outbox: Outbox) {
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        let next = waiting.iter().map(|mail| mail.due_at).min();
        let due = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            mail = outbox.queue.recv() => match mail {
                None => return,
                Some(mail) => waiting.extend(outbox.compose(mail)),
            },
            () = due => {}
        }
        let now = Instant::now();
        for mail in waiting.extract_if(.., |mail| mail.due_at <= now).collect::<Vec<_>>() {
            waiting.extend(outbox.send(mail).await);
        }
        while waiting.len() > QUEUE {
            waiting.pop();
            warn!("A mail was dropped: too many wait for the mail server");
        }
    }
}

impl Outbox {
    fn compose(&self, Mail { to, subject, body }: Mail) -> Option<Waiting> {
        // Vacation notices must not answer.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let to = to.parse().map_err(|error| warn!(%error, "A mail has no address"));
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.ok()?))
            .subject(subject)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .message_id(None)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| warn!(%error, "A mail could not be written"));
        Some(Waiting { message: message.ok()?, tries: 0, due_at: Instant::now() })
    }

    /// Sends a mail; gives it back if it should be tried again.
    async fn send(&self, mail: Waiting) -> Option<Waiting> {
        let sent = tokio::time::timeout(SEND_LIMIT, self.transport.send(mail.message.clone()));
        let failed = match sent.await {
            Ok(Ok(_)) => {
                debug!("A mail was sent");
                return None;
            }
            Ok(Err(error)) if error.is_permanent() => {
                warn!(error = &error as &dyn std::error::Error, "The mail server refused a mail");
                return None;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        let Some(pause_s) = PAUSES_S.get(mail.tries) else {
            warn!(error = failed, "A mail was given up");
            return None;
        };
        warn!(error = failed, again_in_s = pause_s, "A mail was not sent");
        let due_at = Instant::now() + Duration::from_secs(*pause_s);
        Some(Waiting { tries: mail.tries + 1, due_at, ..mail })
    }
}
