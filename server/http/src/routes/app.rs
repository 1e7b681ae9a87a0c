//! `/app`: what an owner can do with their own devices.

mod account;
mod devices;
mod identities;
mod invitation;
mod listen;
mod password_reset;
mod people;
mod providers;
mod second_factor;
mod session;
mod sessions;
mod settings;
mod setup;
mod sign_up;
mod update;
mod user;

use utoipa_axum::router::OpenApiRouter;

use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .merge(setup::routes())
        .merge(session::routes())
        .merge(sessions::routes())
        .merge(second_factor::routes())
        .merge(sign_up::routes())
        .merge(invitation::routes())
        .merge(password_reset::routes())
        .merge(user::routes())
        .merge(account::routes())
        .merge(identities::routes())
        .merge(providers::routes())
        .merge(devices::routes())
        .merge(people::routes())
        .merge(update::routes())
        .merge(settings::routes())
        .merge(listen::routes())
}
