//! Bars on stderr, and only on a terminal: elsewhere indicatif draws nothing.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for bytes; `what` stands before it.
pub(crate) fn bytes(what: &str, total_bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(total_bytes);
    let style =
        ProgressStyle::with_template("{msg:20} [{bar:30}] {percent:>3} %  {bytes}/{total_bytes}")
            .expect("the template is well-formed");
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what.to_owned());
    bar
}
