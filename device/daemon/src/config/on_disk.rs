//! What `--check` looks at beside the configuration: whether the files it names are there, and what
//! they should be.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use otaru_linux::check_provisioning;

use super::Config;

impl Config {
    /// Looks at everything on the disk that the configuration names; changes nothing.
    ///
    /// Errors name the key or the file, what was found, what was expected and what to do.
    pub(crate) fn check_disk(&self) -> anyhow::Result<()> {
        self.check_provisioning()?;
        self.slot_files().check(self.slots.first_image.as_deref())?;
        for (key, command) in self.product.commands() {
            let program = Path::new(&command[0]);
            // It is there when the gateway has started, and updates replace it.
            if program != self.state.join("current") {
                is_program(key, program)?;
            }
        }
        Ok(())
    }

    /// Reads the folder the device was provisioned with.
    fn check_provisioning(&self) -> anyhow::Result<()> {
        if let Some(token) = self.enrolment.as_ref().filter(|_| self.is_to_be_enrolled()) {
            let found = token.display();
            ensure!(
                token.exists(),
                "enrolment: found no {found}, expected the file that `otaru device \
                 enrolment-token … --out` wrote: copy it there"
            );
            return Ok(());
        }
        check_provisioning(&self.provisioning).with_context(|| {
            let folder = self.provisioning.display();
            format!(
                "provisioning: found {folder}, expected a folder that `otaru device add … --out` \
                 wrote: copy it there whole"
            )
        })
    }
}

fn is_program(key: &str, program: &Path) -> anyhow::Result<()> {
    let shown = program.display();
    let found = std::fs::metadata(program).with_context(|| {
        format!(
            "{key}: could not find {shown}, expected a program: install it, or name another one"
        )
    })?;
    ensure!(
        found.is_file() && found.permissions().mode() & 0o111 != 0,
        "{key}: found {shown}, which may not be executed, expected a program: `chmod +x {shown}`, \
         or name another one"
    );
    Ok(())
}
