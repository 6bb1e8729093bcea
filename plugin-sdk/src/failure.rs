//! `Failure`: the error of a handler that cannot answer, and conversions from other errors for `?`.

use core::fmt;

use crate::Failure;
use crate::Toast;
use crate::config::ConfigError;
use crate::deferred::DeferError;
use crate::http::HttpError;
use crate::key_value::KeyValueError;
use crate::open_api::ApiError;
use crate::sealed::SealError;

impl Failure {
    /// Shows the user this text in an error toast. For several languages build the toast yourself:
    /// `Failure::User(Toast::error("…").with("zh_cn", "…"))`.
    pub fn user(content: impl Into<String>) -> Self {
        Self::User(Toast::error(content))
    }

    /// Writes this reason to the host's log; the user sees the host's own words for "it did not work".
    pub fn internal(reason: impl fmt::Display) -> Self {
        Self::Internal(reason.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::internal(format_args!("open API: {error:?}"))
    }
}

impl From<DeferError> for Failure {
    fn from(error: DeferError) -> Self {
        Self::internal(format_args!("deferred update: {error:?}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::internal(format_args!("config: {error:?}"))
    }
}

impl From<KeyValueError> for Failure {
    fn from(error: KeyValueError) -> Self {
        Self::internal(format_args!("key-value: {error:?}"))
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::internal(format_args!("http: {error}"))
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        Self::internal(format_args!("sealed value: {error:?}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::Failure;
    use crate::Toast;
    use crate::deferred::DeferError;

    #[test]
    fn a_failure_for_the_user_is_an_error_toast() {
        assert_eq!(Failure::user("No such order"), Failure::User(Toast::error("No such order")));
    }

    #[test]
    fn the_question_mark_keeps_the_reason_for_the_log() {
        fn update() -> Result<(), Failure> {
            Err(DeferError::NoCard)?
        }
        let Err(Failure::Internal(reason)) = update() else {
            panic!("a host's error is not for users");
        };
        assert!(reason.contains("NoCard"), "{reason}");
    }
}
