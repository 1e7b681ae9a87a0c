//! `/app`: what an owner can do with their own devices.

mod devices;
mod listen;
mod settings;
mod update;
mod user;

use utoipa_axum::router::OpenApiRouter;

use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .merge(user::routes())
        .merge(devices::routes())
        .merge(update::routes())
        .merge(settings::routes())
        .merge(listen::routes())
}
