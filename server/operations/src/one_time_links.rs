//! Links that let somebody in once, with a password they choose: invitations, resets.

use otaru_store::{Scope, Tx, UserRow};

use crate::audit::Entry;
use crate::{
    App, OperationError, Origin, Password, Refusal, SecretCode, SignedIn,
    codes::digest_of,
    second_factor::{self, Shown},
    sessions,
};

/// A kind of link: what it was made for, and what becomes of that.
pub(crate) trait Link: Sized + Send + 'static {
    /// What a code is for, if it still works.
    fn find(tx: &mut Tx<'_>, code_digest: &str, now: i64) -> Result<Self, OperationError>;

    /// Whom it was made for.
    fn email(&self) -> &str;

    /// Uses it up for a person whose password is this hash. Returns who they are, where, and
    /// what is to be said of it.
    fn use_up(
        self,
        tx: &mut Tx<'_>,
        password: String,
        origin: &Origin,
        now: i64,
    ) -> Result<(Scope, String, Entry), OperationError>;
}

/// Lets in who holds the code and chose a password; whoever has a second factor is asked for that,
/// with the new password set.
///
/// Hashing it takes a while: the link is looked up before, and again when it is used.
pub(crate) async fn take<L: Link>(
    app: &App,
    origin: &Origin,
    code: &str,
    password: Password,
) -> Result<SignedIn, OperationError> {
    let (code, now) = (digest_of(code), app.now_ms());
    let wanted = code.clone();
    let link = app.inner.store.read(move |tx| L::find(tx, &wanted, now)).await?;
    password.check(link.email())?;
    let password = app.inner.passwords.hash(password).await?;
    let session = SecretCode::random()?;
    let (digest, origin) = (session.digest(), origin.clone());
    let chosen = password.clone();
    let work = move |tx: &mut Tx<'_>| {
        let (scope, user, taken) = L::find(tx, &code, now)?.use_up(tx, password, &origin, now)?;
        if second_factor::counts(tx, &scope, &user)? {
            let user = otaru_store::user(tx, &scope, &user)?.ok_or(Refusal::CodeUnknown)?;
            return Ok(((user, Entered::Half), taken));
        }
        let user = sessions::open_in(tx, &scope, &digest, &user, now)?;
        Ok::<(_, Entry), OperationError>(((user, Entered::Whole), taken))
    };
    let (user, entered): (UserRow, Entered) = app.inner.store.audited(work).await?;
    match entered {
        Entered::Whole => SignedIn::new(app, user.into(), session),
        Entered::Half => Err(second_factor::ask(app, &user, &chosen, Shown::Link)),
    }
}

/// How far somebody came with a link.
enum Entered {
    Whole,
    /// A code of their second factor is missing.
    Half,
}
