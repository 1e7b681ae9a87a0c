//! Signed-in browsers: a random secret in a cookie, its digest in the database.

use otaru_store::{Notice, Scope, SessionRow, SystemScope, Tx, UserRow};

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, BrowserMark, Credential, CredentialKind, OperationError, Origin, Password, Refusal,
    SecretCode, UserObject,
    attempts::Guesser,
    codes::digest_of,
    known_browsers, own_sessions, providers,
    second_factor::{self, Shown},
    users::EMAIL_BYTES,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A session that nobody used for so long has ended.
pub(crate) const IDLE_MS: i64 = 30 * DAY_MS;

/// However much it is used, a session ends after so long.
pub(crate) const LIFETIME_MS: i64 = 90 * DAY_MS;

/// Sessions a person has at once: every browser they ever used, and no heap without a bottom.
const MOST_SESSIONS: usize = 50;

/// A person who came in, and the new session of their browser.
pub struct SignedIn {
    /// The person.
    pub user: UserObject,
    /// What their browser keeps; in this answer and nowhere else.
    pub session: SecretCode,
    /// What it keeps to be known again, after the session too.
    pub browser: BrowserMark,
}

impl SignedIn {
    /// A person whose session was just opened.
    pub(crate) fn new(
        app: &App,
        user: UserObject,
        session: SecretCode,
    ) -> Result<SignedIn, OperationError> {
        let browser = BrowserMark::new(&app.inner.sealing_key, &user.email, app.now_ms())?;
        Ok(SignedIn { user, session, browser })
    }
}

/// Somebody who is about to come in.
pub(crate) struct Entrant {
    pub(crate) scope: Scope,
    /// Id of the person.
    pub(crate) user: String,
    /// The hash of the password that was right.
    pub(crate) password: String,
    /// Digests of the sessions their browser had until now.
    pub(crate) replaced: Vec<String>,
    pub(crate) origin: Origin,
}

impl Entrant {
    /// Opens a session with this digest, and ends those it replaces.
    pub(crate) fn enter(
        &self,
        tx: &mut Tx<'_>,
        digest: &str,
        now: i64,
    ) -> Result<(UserRow, Vec<Entry>), OperationError> {
        let scope = &self.scope;
        // What was true while the password was compared may have changed since.
        if otaru_store::user_password(tx, scope, &self.user)?.as_ref() != Some(&self.password) {
            return Err(OperationError::from(Refusal::SignInFailed));
        }
        let mut entries = Vec::new();
        for replaced in &self.replaced {
            entries.extend(end(tx, replaced, &self.origin)?);
        }
        let user = open_in(tx, scope, digest, &self.user, now)?;
        let who = Who::person(scope, &user.id, &user.email, &self.origin);
        entries.push(who.did("session.create", own_sessions::object(digest)));
        Ok((user, entries))
    }
}

/// Lets a person in who knows their password.
///
/// `replaced` are the sessions their browser had until now: they end.
///
/// # Errors
/// [`Refusal::SignInFailed`], whether the address is unknown or the password wrong, after the
/// same time; [`Refusal::SecondFactorRequired`], with what [`crate::sign_in_with_code`] takes;
/// [`Refusal::TooManyAttempts`], [`Refusal::Busy`].
pub async fn sign_in(
    app: &App,
    origin: &Origin,
    email: &str,
    password: Password,
    replaced: &[String],
) -> Result<SignedIn, OperationError> {
    let email = email.trim().to_lowercase();
    if email.len() > EMAIL_BYTES {
        // Nobody has it, and it must not fill the memory of who guessed.
        return Err(Refusal::SignInFailed.into());
    }
    let wanted = email.clone();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let user = otaru_store::user_by_email_anywhere(tx, &system, &wanted)?;
        let Some(user) = user else { return Ok(None) };
        let scope = Scope::of(user.organisation.clone());
        let stored = otaru_store::user_password(tx, &scope, &user.id)?;
        let has_second = second_factor::counts(tx, &scope, &user.id)?;
        Ok::<_, OperationError>(stored.map(|stored| (user, stored, has_second)))
    };
    let found = app.inner.store.read(work).await?;
    let stored = found.as_ref().map(|(_, stored, _)| stored.as_str());
    let known = known_browsers::known(&app.inner.sealing_key, origin, &email, app.now_ms());
    let remote = origin.remote();
    let guesser = Guesser::of(known.as_deref(), &remote);
    let checked = check_password(app, &guesser, &email, password, stored).await;
    if let (Err(OperationError::Refused(Refusal::SignInFailed)), Some((user, ..))) =
        (&checked, &found)
    {
        note_refused(app, origin, user).await?;
    }
    checked?;
    let (user, stored, has_second) = found.ok_or(Refusal::SignInFailed)?;
    if has_second {
        return Err(second_factor::ask(app, &user, &stored, Shown::Password));
    }
    let (session, now) = (SecretCode::random()?, app.now_ms());
    let digest = session.digest();
    let entrant = Entrant {
        scope: Scope::of(user.organisation),
        user: user.id,
        password: stored,
        replaced: replaced.iter().map(|secret| digest_of(secret)).collect(),
        origin: origin.clone(),
    };
    let work = move |tx: &mut Tx<'_>| {
        // They may have set up a second factor meanwhile.
        if second_factor::counts(tx, &entrant.scope, &entrant.user)? {
            return Err(OperationError::from(Refusal::SignInFailed));
        }
        entrant.enter(tx, &digest, now)
    };
    let user = app.inner.store.audited(work).await?;
    SignedIn::new(app, user.into(), session)
}

/// Notes that somebody tried a wrong password for a person: the first ones within a while, as
/// nobody is to fill the log. Nobody waits for it: how long an answer takes must not say whether
/// there is such a person.
pub(crate) async fn note_refused(
    app: &App,
    origin: &Origin,
    user: &UserRow,
) -> Result<(), OperationError> {
    if !app.inner.password_guard.is_worth_noting(&user.email, app.now_ms()) {
        return Ok(());
    }
    let who = Who::stranger(&Scope::of(user.organisation.clone()), origin);
    let refused = who.did("session.refuse", Object::user(user));
    Ok(app.inner.store.audited_later(move |_| Ok(((), refused))).await?)
}

/// Compares a password within the limits of guessing.
async fn check_password(
    app: &App,
    guesser: &Guesser<'_>,
    email: &str,
    password: Password,
    stored: Option<&str>,
) -> Result<(), OperationError> {
    let guard = &app.inner.password_guard;
    guard.begin(guesser, email, app.now_ms())?;
    let is_known = matches!(guesser, Guesser::Known(_));
    let compared = app.inner.passwords.is_right(password, stored, is_known).await;
    if !matches!(compared, Ok(false)) {
        // Nothing was guessed where nothing was compared.
        guard.forgive(guesser, email);
    }
    if compared? { Ok(()) } else { Err(Refusal::SignInFailed.into()) }
}

/// The person who acts, if they know their password, and its hash. Nobody else uses up what this
/// credential may guess.
pub(crate) async fn confirm_password(
    app: &App,
    actor: &Actor,
    password: Password,
) -> Result<(UserRow, String), OperationError> {
    let (scope, id) = (actor.scope.clone(), actor.person()?.to_owned());
    let find = move |tx: &mut Tx<'_>| {
        let user = otaru_store::user(tx, &scope, &id)?;
        let stored = otaru_store::user_password(tx, &scope, &id)?;
        let user = user.ok_or(Refusal::UserUnknown(id))?;
        Ok::<_, OperationError>((user, stored.ok_or(Refusal::PasswordMissing)?))
    };
    let (user, stored) = app.inner.store.read(find).await?;
    let guesser = Guesser::Known(&actor.credential.id);
    let checked = check_password(app, &guesser, &user.email, password, Some(&stored)).await;
    if let Err(OperationError::Refused(Refusal::SignInFailed)) = checked {
        note_refused(app, &actor.origin, &user).await?;
    }
    checked.map(|()| (user, stored))
}

/// Opens a session for a person, ends their oldest if they have too many, and shows them.
pub(crate) fn open_in(
    tx: &mut Tx<'_>,
    scope: &Scope,
    digest: &str,
    user: &str,
    now: i64,
) -> Result<UserRow, OperationError> {
    let mut open = otaru_store::sessions_of_user(tx, scope, user)?;
    open.truncate((open.len() + 1).saturating_sub(MOST_SESSIONS));
    for oldest in open {
        otaru_store::delete_session(tx, scope, &oldest.secret_sha256)?;
        tx.notify(Notice::CredentialRevoked { id: oldest.secret_sha256 });
    }
    otaru_store::insert_session(tx, scope, digest, user, now)?;
    let row = otaru_store::user(tx, scope, user)?;
    Ok(row.ok_or_else(|| Refusal::UserUnknown(user.to_owned()))?)
}

/// Ends the session with this secret; nothing happens when there is none. Returns where the
/// browser signs out at the provider that opened it, if that has such a page.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn sign_out(
    app: &App,
    origin: &Origin,
    secret: &str,
) -> Result<Option<String>, OperationError> {
    let (digest, origin) = (digest_of(secret), origin.clone());
    let system = SystemScope::for_authentication();
    let work = move |tx: &mut Tx<'_>| {
        let opened = otaru_store::session_of_provider(tx, &system, &digest)?;
        Ok::<_, OperationError>((opened, end(tx, &digest, &origin)?))
    };
    match app.inner.store.audited(work).await? {
        Some(opened) => Ok(providers::of_ended_session(app, opened).await),
        None => Ok(None),
    }
}

/// Ends a session by the word of who has it.
pub(crate) fn end(
    tx: &mut Tx<'_>,
    digest: &str,
    origin: &Origin,
) -> Result<Option<Entry>, OperationError> {
    let found = otaru_store::session(tx, &SystemScope::for_authentication(), digest)?;
    let Some(session) = found else { return Ok(None) };
    let scope = Scope::of(session.organisation.clone());
    let Some(user) = otaru_store::user(tx, &scope, &session.user_id)? else { return Ok(None) };
    let who = Who::person(&scope, &user.id, &user.email, origin);
    Ok(Some(own_sessions::end_in(tx, &scope, who, session)?))
}

/// Who a browser's session speaks for, with the role they have now. `browser` is what the
/// person will know it by; the first one said stays.
///
/// # Errors
/// [`Refusal::Unauthenticated`] when it is unknown or has ended,
/// [`Refusal::SecondFactorMissing`] when the person must set up a second factor first.
pub async fn authenticate_session(
    app: &App,
    secret: &str,
    browser: Option<String>,
) -> Result<Actor, OperationError> {
    let (actor, has_one_factor) = session_actor(app, secret, browser).await?;
    if has_one_factor && app.inner.second_factor_roles.contains(&actor.role) {
        return Err(Refusal::SecondFactorMissing { role: actor.role.as_str() }.into());
    }
    Ok(actor)
}

/// As [`authenticate_session`], for what somebody may do who must set up a second factor: that.
///
/// # Errors
/// [`Refusal::Unauthenticated`] when it is unknown or has ended.
pub async fn authenticate_newcomer(
    app: &App,
    secret: &str,
    browser: Option<String>,
) -> Result<Actor, OperationError> {
    Ok(session_actor(app, secret, browser).await?.0)
}

/// The actor of a session, and whether a password alone lets its person in.
async fn session_actor(
    app: &App,
    secret: &str,
    browser: Option<String>,
) -> Result<(Actor, bool), OperationError> {
    let digest = digest_of(secret);
    let system = SystemScope::for_authentication();
    let found = app.inner.store.read(move |tx| otaru_store::session(tx, &system, &digest)).await?;
    let now = app.now_ms();
    let session = found.filter(|session| holds(session, now)).ok_or(Refusal::Unauthenticated)?;
    if app.inner.uses.is_worth_noting(&session.secret_sha256, Some(session.used_at), now) {
        let scope = Scope::of(session.organisation.clone());
        let digest = session.secret_sha256.clone();
        let work = move |tx: &mut Tx<'_>| otaru_store::touch_session(tx, &scope, &digest, now);
        // Nobody waits for it: at worst the session looks older than it is.
        app.inner.store.enqueue_unaudited("a session is in use", work, drop).await?;
    }
    if let Some(label) = browser.filter(|_| session.label.is_none()) {
        let scope = Scope::of(session.organisation.clone());
        let digest = session.secret_sha256.clone();
        let work = move |tx: &mut Tx<'_>| otaru_store::label_session(tx, &scope, &digest, &label);
        app.inner.store.enqueue_unaudited("a browser has a name", work, drop).await?;
    }
    let credential = credential(session.secret_sha256, session.created_at);
    let (scope, user) = (Scope::of(session.organisation), Some(session.user_id));
    let (language, origin) = (None, Origin::default());
    let actor = Actor { scope, role: session.role, user, credential, language, origin };
    Ok((actor, session.has_one_factor))
}

fn credential(digest: String, created_at: i64) -> Credential {
    let expires_at = Some(created_at + LIFETIME_MS);
    Credential { kind: CredentialKind::Session, id: digest, expires_at, proven_at: None }
}

/// When a session ends if it is not used any more.
pub(crate) fn ends_at(session: &SessionRow) -> i64 {
    (session.used_at + IDLE_MS).min(session.created_at + LIFETIME_MS)
}

pub(crate) fn holds(session: &SessionRow, now: i64) -> bool {
    now < ends_at(session)
}

/// The person as the actor of a session just opened.
pub(crate) fn actor_of(user: &UserRow, session: &SecretCode, now: i64) -> Actor {
    Actor {
        scope: Scope::of(user.organisation.clone()),
        role: user.role,
        user: Some(user.id.clone()),
        credential: credential(session.digest(), now),
        language: None,
        origin: Origin::default(),
    }
}
