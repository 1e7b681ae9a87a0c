//! Asking for an update: the same words for owners and operators.

use axum::http::StatusCode;
use otaru_operations::{UpdateObject, When};
use otaru_wire::ReleaseVersion;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::extract::Json;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestUpdateRequest {
    /// Version of the release to install.
    #[schema(value_type = String)]
    pub(super) version: ReleaseVersion,
    /// When; `now` if not given.
    #[serde(default)]
    pub(super) when: WhenWanted,
}

/// When an update shall begin.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhenWanted {
    /// As soon as the device hears of it.
    #[default]
    Now,
    /// Not now: the owner is asked again after 24 hours.
    Later,
    /// At the next 02:00 in the device's time zone.
    Tonight,
}

impl From<WhenWanted> for When {
    fn from(wanted: WhenWanted) -> When {
        match wanted {
            WhenWanted::Now => When::Now,
            WhenWanted::Later => When::Later,
            WhenWanted::Tonight => When::Tonight,
        }
    }
}

/// 201 for a new update, 200 for the one that was open already.
pub(super) fn answer((update, is_new): (UpdateObject, bool)) -> (StatusCode, Json<UpdateObject>) {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(update))
}
