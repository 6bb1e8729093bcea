//! Errors that a user's client shows when a callback went wrong: the documented codes, in English words.

use serde::Serialize;

/// A code with its words, as the client shows them, and a reason, which it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserError {
    /// The platform's code, for example 200341; 0 where it shows none.
    pub code: u32,
    /// Text that the user reads.
    pub words: String,
    /// The exact fault, for the developer; may be empty.
    pub reason: String,
}

/// The cases the simulator tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    Broken,
    MissingData,
    NotOnline,
    NoAnswer,
    Unreachable,
    EmptyName,
    NotOk,
    WrongFormat,
    WrongCard,
    Downgrade,
    NoOptions,
    NotDecided,
}

impl Complaint {
    /// Returns the platform's code for the case.
    const fn code(self) -> u32 {
        match self {
            // Undocumented; users report it for an acknowledgement without data.
            Self::MissingData => 108_002,
            Self::Broken => 200_080,
            Self::NotOnline => 200_340,
            Self::NoAnswer => 200_341,
            Self::Unreachable => 200_342,
            Self::EmptyName => 200_530,
            Self::NotOk => 200_671,
            Self::WrongFormat => 200_672,
            Self::WrongCard => 200_673,
            Self::Downgrade => 200_830,
            // The documentation names no code.
            Self::NoOptions | Self::NotDecided => 0,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::MissingData => "The callback service acknowledged the request but sent no data.",
            Self::Broken => "An error occurred while calling the callback service.",
            Self::NotOnline => "The callback service is not online.",
            Self::NoAnswer => "The callback service did not respond in time.",
            Self::Unreachable => "Could not connect to the callback service.",
            Self::EmptyName => "A component in the form has no name.",
            Self::NotOk => "The callback service returned an error.",
            Self::WrongFormat => "The callback service's response has the wrong format.",
            Self::WrongCard => "The card in the callback service's response is wrong.",
            Self::NoOptions => "The options could not be loaded.",
            Self::NotDecided => "The decision could not be submitted.",
            Self::Downgrade => "A JSON 2.0 card cannot be replaced by a JSON 1.0 card.",
        }
    }

    pub(super) fn because(self, reason: impl Into<String>) -> UserError {
        UserError { code: self.code(), words: self.words().to_owned(), reason: reason.into() }
    }
}
