//! `/api/v1`: what publishers and operators do.

mod approvals;
mod audit;
mod bucket_watch;
mod certificates;
mod claim_code;
mod device_authorities;
mod device_service;
mod devices;
mod download_links;
mod enrolment_tokens;
mod invitations;
mod listen;
mod logs;
mod organisations;
mod patches;
mod product_rules;
mod products;
mod provisioning;
mod release_states;
mod releases;
mod roots;
mod running;
mod server_authorities;
mod server_key;
mod settings;
mod shadows;
mod tokens;
mod update;
mod updates;
pub(crate) mod uploads;
mod user_sessions;
mod users;
mod whoami;

use utoipa_axum::router::OpenApiRouter;

use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .merge(whoami::routes())
        .merge(products::routes())
        .merge(product_rules::routes())
        .merge(approvals::routes())
        .merge(releases::routes())
        .merge(roots::routes())
        .merge(server_authorities::routes())
        .merge(server_key::routes())
        .merge(release_states::routes())
        .merge(download_links::routes())
        .merge(running::routes())
        .merge(patches::routes())
        .merge(bucket_watch::routes())
        .merge(uploads::routes())
        .merge(devices::routes())
        .merge(certificates::routes())
        .merge(device_authorities::routes())
        .merge(device_service::routes())
        .merge(enrolment_tokens::routes())
        .merge(provisioning::routes())
        .merge(claim_code::routes())
        .merge(settings::routes())
        .merge(logs::routes())
        .merge(shadows::routes())
        .merge(update::routes())
        .merge(updates::routes())
        .merge(users::routes())
        .merge(user_sessions::routes())
        .merge(invitations::routes())
        .merge(organisations::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
        .merge(listen::routes())
}
