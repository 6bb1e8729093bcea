//! Reads the JSON text that the contract carries. Nothing here runs unless a plugin asks for it: a handler that reads typed
//! fields only never reaches the parser.

use core::fmt;

use serde::de::DeserializeOwned;

use crate::Failure;

/// Reason why a JSON field could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonError {
    /// The platform sent nothing for this field.
    Absent {
        /// The field's name in the contract.
        field: &'static str,
    },
    /// The text is not JSON, or not JSON of the shape that was asked for.
    Malformed {
        /// The field's name in the contract.
        field: &'static str,
        /// The parser's error, with line and column.
        source: serde_json::Error,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { field } => write!(formatter, "`{field}` is absent"),
            Self::Malformed { field, source } => write!(formatter, "`{field}`: {source}"),
        }
    }
}

impl std::error::Error for JsonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Absent { .. } => None,
            Self::Malformed { source, .. } => Some(source),
        }
    }
}

impl From<JsonError> for Failure {
    /// The user gets the host's own words; the log gets the field and the parser's reason.
    fn from(error: JsonError) -> Self {
        Failure::internal(error)
    }
}

/// Reads `text`, and names `field` if that fails.
pub(crate) fn read<T: DeserializeOwned>(
    field: &'static str,
    text: Option<&str>,
) -> Result<T, JsonError> {
    let text = text.ok_or(JsonError::Absent { field })?;
    serde_json::from_str(text).map_err(|source| JsonError::Malformed { field, source })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::Failure;
    use crate::json::JsonError;
    use crate::json::read;

    #[test]
    fn an_absent_field_is_named() {
        let error = read::<Value>("action.value", None).expect_err("nothing to read");
        assert!(matches!(error, JsonError::Absent { field: "action.value" }));
        assert_eq!(error.to_string(), "`action.value` is absent");
    }

    #[test]
    fn a_malformed_field_reaches_the_log_and_not_the_user() {
        let error = read::<Value>("event.body", Some("{")).expect_err("half an object");
        let Failure::Internal(reason) = Failure::from(error) else {
            panic!("a parser's words are not for users");
        };
        assert!(reason.starts_with("`event.body`: "), "{reason}");
    }
}
