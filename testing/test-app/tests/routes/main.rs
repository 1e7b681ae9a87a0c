//! Every route as its callers meet it. Files mirror the paths; a method each.
//! Beside them, an update's whole life as owner, operator and device meet it.

mod actors;
mod tls;

mod api_v1 {
    mod devices {
        mod get;
        mod post;
        mod thing {
            mod certificate;
            mod channel;
            mod logs;
            mod revoke;
            mod shadows;
            mod update;
            mod updates;
        }
    }
    mod invitations;
    mod listen;
    mod organisations;
    mod provisioning;
    pub(crate) mod products {
        mod get;
        mod patch;
        mod post;
        mod roots;
        mod running;
        pub(crate) mod releases {
            mod approval;
            mod codes;
            mod delete;
            mod drafts;
            mod get;
            mod intake;
            mod large_fleet;
            pub(crate) mod patches;
            mod post;
            mod samples;
            mod signed_anew;
            mod stolen_key;
            mod yank;
        }
    }
    mod access_keys;
    mod audit;
    pub(crate) mod authorities;
    mod broken_uploads;
    mod bucket_watch;
    mod outside_key;
    mod server_authorities;
    mod tokens;
    mod updates;
    mod uploads;
    mod user_sessions;
    mod users;
    mod whoami;
}
mod app {
    mod account;
    mod devices {
        mod claim;
        mod get;
        mod people;
        mod put;
        mod settings;
        mod update;
    }
    mod guessing;
    mod invitation;
    mod listen;
    mod password;
    mod password_reset;
    pub(crate) mod providers;
    mod second_factor;
    mod second_factor_roles;
    mod session;
    mod sessions;
    mod setup;
    mod sign_up;
    mod user;
}
mod firmware {
    mod again;
    mod ahead;
    mod blobs;
    mod elsewhere;
    mod limits;
    mod links;
    mod patches;
    mod releases;
    mod root;
    mod signed;
}
mod authority;
mod chain;
mod docs;
mod enrolment;
mod errors;
mod grpc {
    mod client;
    mod ends;
    mod events;
    mod refusals;
    mod web;
}
mod health;
mod mail;
#[path = "../lifecycle"]
mod lifecycle {
    mod batch;
    mod cancel;
    mod chain;
    mod consent;
    mod downgrade;
    mod ends;
    mod full_shadow;
    mod handover;
    mod history;
    pub(crate) mod home;
    mod logs;
    mod neighbours;
    mod on_device;
    mod plain;
    mod presence;
    mod provisioning;
    mod provisioning_limits;
    mod provisioning_noted;
    mod refusals;
    mod request_limits;
    mod restart;
    mod service;
    mod shadow;
    mod silence;
    mod wishes;
}
#[path = "../shadow_model"]
mod shadow_model {
    mod device;
    mod model;
    mod operations;
    mod run;
}
mod things {
    mod names;
    mod shadow;
    mod signed;
}
mod topics;
