use serde::Serialize;
use utoipa::ToSchema;

/// A person's second factor.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecondFactorObject {
    /// Whether they have one, which is asked for when they sign in.
    pub set_up: bool,
    /// Whether their role needs one.
    pub required: bool,
    /// Recovery codes they have left.
    pub recovery_codes: i64,
}

/// A second factor that is to be confirmed; in this answer and nowhere else.
#[derive(Clone, Serialize, ToSchema)]
pub struct NewSecondFactorObject {
    /// The secret for an authenticator app, to be typed.
    pub secret: String,
    /// The same as a QR code holds it.
    pub url: String,
}

/// Codes that stand for the app, each once; in this answer and nowhere else.
#[derive(Clone, Serialize, ToSchema)]
pub struct RecoveryCodesObject {
    /// Ten of them.
    pub recovery_codes: Vec<String>,
}
