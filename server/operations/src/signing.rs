//! Certificates are signed by the server's own authority.

use otaru_authority::{Authority, AuthorityError};

use crate::{App, OperationError};

impl App {
    /// What the authority that signs makes. Where a command has its key, that takes its time:
    /// beside everything else, and never in a transaction.
    ///
    /// # Errors
    /// [`Refusal::ServerAuthorityRetired`](crate::Refusal::ServerAuthorityRetired),
    /// [`Refusal::ServerAuthorityEnded`](crate::Refusal::ServerAuthorityEnded),
    /// [`Refusal::AuthorityUnavailable`](crate::Refusal::AuthorityUnavailable).
    pub(crate) async fn sign<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Authority) -> Result<T, AuthorityError> + Send + 'static,
    ) -> Result<T, OperationError> {
        let authority = self.signing_authority()?;
        if !authority.is_outside() {
            return Ok(work(authority)?);
        }
        let authority = authority.clone();
        let done = tokio::task::spawn_blocking(move || work(&authority)).await;
        Ok(done.expect("signing does not panic")?)
    }
}
