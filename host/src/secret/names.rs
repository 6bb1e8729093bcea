//! The names of credentials in JSON members, headers, query parameters, forms and cookies.
//!
//! Names are compared without case, `-` and `_`, so that `access_token`, `accessToken` and `Access-Token` are one name.

use std::sync::LazyLock;

/// Endings of names. Services put a prefix of their own before these words: `x-vault-token`, `GITHUB_WEBHOOK_SECRET`,
/// `db_password`.
const ENDINGS: [&str; 22] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "credential",
    "credentials",
    // The headers of HTTP: `Authorization`, `Proxy-Authorization`.
    "authorization",
    // `Cookie` and `Set-Cookie`, of which only the values of the pairs are masked.
    "cookie",
    "cookies",
    // A signed request can be sent once more by anyone who holds it.
    "signature",
    "api_key",
    "secret_key",
    "private_key",
    "access_key",
    "encrypt_key",
    "signing_key",
    "master_key",
    "session_id",
    "session_key",
    // The platform's tickets: of an app, of a browser's SDK, of a login.
    "ticket",
];

/// Names that count only as a whole. As endings they would cover ordinary words.
const WHOLE: [&str; 22] = [
    "pwd",
    "jwt",
    "bearer",
    "session",
    "sid",
    "otp",
    "csrf",
    "xsrf",
    // The platform's list of `preview_token`.
    "preview_tokens",
    // OAuth.
    "authorization_code",
    "auth_code",
    "device_code",
    "code_verifier",
    "assertion",
    "client_assertion",
    "saml_response",
    // How the platform's custom bots, Amazon and Microsoft name a signature.
    "sign",
    "sig",
    // The session cookies of Java, PHP and ASP.NET.
    "jsessionid",
    "phpsessid",
    "aspsessionid",
    // Added by this host to the value of a button.
    "aviary_seal",
];

/// Names that count only in an address, a form or a list of pairs: as members of JSON, these words usually mean something else.
const PARAMETERS: [&str; 6] = ["code", "key", "auth", "hmac", "pass", "pin"];

/// Names that end in `token` and identify a thing: the platform's documents, folders and tables, and the next page of a list.
/// Who may read those is decided elsewhere, and a journal without them would not show what happened.
const NOT_SECRET: [&str; 21] = [
    "page_token",
    "next_page_token",
    "sync_token",
    "file_token",
    "folder_token",
    "parent_folder_token",
    "root_folder_token",
    "obj_token",
    "doc_token",
    "docs_token",
    "docx_token",
    "document_token",
    "sheet_token",
    "spreadsheet_token",
    "node_token",
    "parent_node_token",
    "origin_node_token",
    "wiki_token",
    "space_token",
    "minute_token",
    "whiteboard_token",
];

/// Length of a shortened name, in bytes. Longer names are compared by their end.
const LONGEST: usize = 64;
/// Letters at the end of a name that are looked up before the name itself.
const TAIL: usize = 3;
/// Number of possible tails, with five bits for each letter: upper and lower case share theirs.
const TAILS: usize = 1 << (5 * TAIL);

/// The kind of place in which a name occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// A member of JSON, or a word before a colon.
    Member,
    /// A header, a query parameter, a field of a form.
    Parameter,
}

/// Names whose values must not be written down.
#[derive(Debug)]
pub struct Names {
    /// The names, grouped by their last letter.
    known: Vec<Vec<KnownName>>,
    /// Names that end like a credential and are not one.
    harmless: Vec<Box<[u8]>>,
    /// One bit for each tail of a known name. Most names have none of these tails, so they cost one lookup.
    tails: Box<[u64]>,
    /// True if a known name is shorter than a tail; then every tail may match.
    any_tail: bool,
}

#[derive(Debug)]
struct KnownName {
    /// The name, shortened as in [`Short`].
    name: Box<[u8]>,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    End,
    WholeParameter,
}

/// A name without case, `-` and `_`.
struct Short {
    bytes: [u8; LONGEST],
    length: usize,
}

/// Maps a byte to its shortened form; 0 for a byte that is left out.
const SHORTENED: [u8; 256] = {
    let mut shortened = [0; 256];
    let mut byte = 1;
    while byte < 256 {
        let is_left_out = byte == b'-' as usize || byte == b'_' as usize;
        shortened[byte] = if is_left_out { 0 } else { (byte as u8).to_ascii_lowercase() };
        byte += 1;
    }
    shortened
};

impl Short {
    fn of(name: &[u8]) -> Self {
        let mut short = Self { bytes: [0; LONGEST], length: 0 };
        for byte in &name[name.len().saturating_sub(LONGEST)..] {
            let shortened = SHORTENED[usize::from(*byte)];
            short.bytes[short.length] = shortened;
            short.length += usize::from(shortened != 0);
        }
        short
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn tail(last: [u8; TAIL]) -> usize {
    last.iter().fold(0, |tail, byte| tail << 5 | usize::from(byte & 31))
}

fn last_letter(name: &[u8]) -> usize {
    name.last().map_or(0, |byte| usize::from(byte & 31))
}

impl Names {
    /// Knows the names above, and `more` as whole names.
    pub fn with(more: &[String]) -> Self {
        let mut names = Self {
            known: (0..32).map(|_| Vec::new()).collect(),
            harmless: Vec::new(),
            tails: vec![0; TAILS / 64].into(),
            any_tail: false,
        };
        let mut add = |name: &str, part| names.add(name, part);
        ENDINGS.iter().for_each(|name| add(name, Part::End));
        WHOLE.iter().for_each(|name| add(name, Part::Whole));
        PARAMETERS.iter().for_each(|name| add(name, Part::WholeParameter));
        names.harmless = NOT_SECRET.map(|name| Short::of(name.as_bytes()).as_bytes().into()).into();
        // The operator's names take precedence over the harmless ones.
        more.iter().for_each(|name| names.add(name, Part::Whole));
        names
    }

    fn add(&mut self, name: &str, part: Part) {
        let short = Short::of(name.as_bytes());
        let name = short.as_bytes();
        match name.last_chunk::<TAIL>() {
            Some(last) => {
                let tail = tail(*last);
                self.tails[tail / 64] |= 1 << (tail % 64);
            }
            // A short name matches whatever stands before it: a quote, a bracket, a space.
            None => self.any_tail = true,
        }
        self.known[last_letter(name)].push(KnownName { name: name.into(), part });
    }

    /// Returns whether a text may end in one of these names, as it is written. Fast, and usually `false`.
    pub fn may_end(&self, text: &[u8]) -> bool {
        let is_left_out = |byte: u8| matches!(byte, b'-' | b'_');
        let last = match *text {
            [.., first, second, third] if ![first, second, third].into_iter().any(is_left_out) => {
                [first, second, third]
            }
            // `open_id`
            [.., first, b'_', second, third]
                if ![first, second, third].into_iter().any(is_left_out) =>
            {
                [first, second, third]
            }
            _ => {
                let mut last = [0; TAIL];
                let mut letters = text.iter().rev().copied().filter(|byte| !is_left_out(*byte));
                last.iter_mut().rev().for_each(|place| *place = letters.next().unwrap_or(0));
                last
            }
        };
        let tail = tail(last);
        self.any_tail || self.tails[tail / 64] & 1 << (tail % 64) != 0
    }

    /// Returns whether the value of that name must not be written down.
    pub fn hold(&self, name: &[u8], place: SecretPlace) -> bool {
        self.may_end(name) && self.look_up(name, place)
    }

    /// Answers like [`hold`](Self::hold), for a caller that has already asked [`may_end`](Self::may_end).
    pub fn look_up(&self, name: &[u8], place: SecretPlace) -> bool {
        let short = Short::of(name);
        let name = short.as_bytes();
        let mut is_secret = false;
        for KnownName { name: known, part } in &self.known[last_letter(name)] {
            let fits = match part {
                Part::End => name.len() >= known.len(),
                Part::Whole | Part::WholeParameter => name.len() == known.len(),
            };
            // Compares the first letters before calling a function for the rest.
            if !fits || name[name.len() - known.len()] != known[0] || !name.ends_with(known) {
                continue;
            }
            match part {
                Part::Whole => return true,
                Part::WholeParameter => is_secret |= place == SecretPlace::Parameter,
                Part::End => is_secret = true,
            }
        }
        is_secret && !self.harmless.iter().any(|known| **known == *name)
    }
}

/// Returns whether that header consists of pairs, of which only the values are credentials.
pub fn is_cookie(name: &[u8]) -> bool {
    // Most names end in another letter.
    matches!(name.last(), Some(b'e' | b'E' | b's' | b'S' | b'-' | b'_')) && {
        let short = Short::of(name);
        short.as_bytes().ends_with(b"cookie") || short.as_bytes().ends_with(b"cookies")
    }
}

/// Returns whether the value of that name may begin with an authentication scheme: `Bearer`, `Basic`.
pub fn is_authorization(name: &[u8]) -> bool {
    Short::of(name).as_bytes().ends_with(b"authorization")
}

/// The built-in names, without any of the operator's.
pub static CREDENTIALS: LazyLock<Names> = LazyLock::new(|| Names::with(&[]));

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(name: &str) -> bool {
        let held = CREDENTIALS.look_up(name.as_bytes(), SecretPlace::Member);
        assert!(!held || CREDENTIALS.may_end(name.as_bytes()), "{name} is not even looked up");
        held
    }

    #[test]
    fn every_spelling_of_a_name_is_that_name() {
        for name in [
            "access_token",
            "accessToken",
            "Access-Token",
            "ACCESSTOKEN",
            "access__token_",
            "AcCeSs-ToKeN",
            "id_token",
            "api_key",
            "x-api-key",
            "X-Api-Key",
            "apikey",
            "Password",
            "PASSWD",
            "pwd",
            "Authorization",
            "Proxy-Authorization",
            "Set-Cookie",
            "client_secret",
            "AWS_SECRET_ACCESS_KEY",
            "privateKey",
            "code_verifier",
            "X-Amz-Signature",
            "app_ticket",
            "x-vault-token",
            "aviary_seal",
        ] {
            assert!(holds(name), "{name}");
        }
    }

    #[test]
    fn what_names_a_thing_is_kept() {
        for name in [
            "file_token",
            "page_token",
            "pageToken",
            "max_tokens",
            "tenant_key",
            "code",
            "key",
            "type",
            "action",
            "location",
            "i18n_key",
            "image_key",
            "open_id",
            "toast",
            "content",
            "sessions",
            "design",
            "",
        ] {
            assert!(!holds(name), "{name}");
        }
    }

    #[test]
    fn some_words_are_credentials_in_addresses_only() {
        for name in ["code", "KEY", "auth"] {
            assert!(CREDENTIALS.hold(name.as_bytes(), SecretPlace::Parameter), "{name}");
            assert!(!CREDENTIALS.hold(name.as_bytes(), SecretPlace::Member), "{name}");
        }
    }

    #[test]
    fn an_operator_s_names_are_whole_names() {
        let names = Names::with(&[
            "open_id".to_owned(),
            "x".to_owned(),
            "page_token".to_owned(),
            "姓名".to_owned(),
        ]);
        for name in ["open_id", "openId", "X", "page_token", "姓名"] {
            assert!(names.hold(name.as_bytes(), SecretPlace::Member), "{name}");
        }
        assert!(!names.hold(b"my_open_id", SecretPlace::Member));
        let long = "very-".repeat(40);
        assert!(
            Names::with(std::slice::from_ref(&long)).hold(long.as_bytes(), SecretPlace::Member)
        );
    }
}
