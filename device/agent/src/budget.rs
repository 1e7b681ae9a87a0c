use otaru_wire::Reason;

/// How many tries in a row, without one new byte in flash between them, a
/// reason is worth. Zero ends the update at once.
pub fn tries_allowed(reason: Reason) -> u32 {
    use Reason::*;
    match reason {
        // The link or the server may come back: full jitter from 30 s to 6 h
        // makes these tries last for days.
        LinkDownAtInstall
        | LinkDownWhileDownloading
        | LinkDownAtReport
        | DownloadStalled
        | ServerError
        | TlsRootMissing
        | TlsRootExpired
        | TlsUntrusted
        | BrokerUnreachable => 20,
        // A release may be on its way through a cache, a permission on its way through a form.
        ReleaseNotFound | DownloadForbidden | ManifestMissing | RootMissing | ContentChanged
        | OrderMissing | OrderExpired | RootWithheld | TooManyBytes => 3,
        // Bytes that do not match are fetched once more, from the start.
        ImageCorrupt | DigestMismatch | FlashFailed => 2,
        _ => 0,
    }
}

/// Whether what is in flash is suspect, so that the next try starts over.
pub(crate) fn starts_over(reason: Reason) -> bool {
    use Reason::*;
    matches!(reason, ImageCorrupt | DigestMismatch | ContentChanged | TooManyBytes)
}

/// Whether a reconnected broker makes another try worthwhile at once.
pub(crate) fn ends_with_the_link(reason: Reason) -> bool {
    tries_allowed(reason) == 20
}
