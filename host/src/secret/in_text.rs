//! Credentials in text that is not JSON: in addresses, forms, headers and the words of plugins. Each is found as a range, so
//! that masking it leaves the rest of the text as it was.

mod marks;

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use memchr::memchr;
use memchr::memchr_iter;
use memchr::memchr3;
use memchr::memchr3_iter;
use memchr::memmem;

use crate::secret::names::CREDENTIALS;
use crate::secret::names::Names;
use crate::secret::names::SecretPlace;
use crate::secret::names::is_authorization;
use crate::secret::names::is_cookie;

/// Replaces a credential in the log.
const HIDDEN: &str = "…";
/// Longest name that is looked for, in bytes.
const LONGEST_NAME: usize = 64;
/// Longest user name with password in an address, in bytes.
const LONGEST_USER: usize = 256;
/// Longest XML tag with its attributes, in bytes.
const LONGEST_TAG: usize = 256;
/// Longest credential that is looked for in other forms, in bytes: the largest private key. A longer text does not occur a
/// second time.
const LONGEST_WITH_FORMS: usize = 4096;
/// Longest headers of one part of a form, in bytes.
const LONGEST_PART_HEAD: usize = 1024;
/// Bytes that are written as they are in addresses and in JSON.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        plain[byte] = letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    plain
};

/// Bytes of which a text has at least one if it holds a credential: after a name, after `Bearer`, in an address, inside a JSON
/// Web Token. Identifiers have none of them, and most texts of a callback are identifiers.
const SIGNS: &[u8] = b"=:>@ %+/.-";
const IS_SIGN: [bool; 256] = {
    let mut is_sign = [false; 256];
    let mut at = 0;
    while at < SIGNS.len() {
        is_sign[SIGNS[at] as usize] = true;
        at += 1;
    }
    is_sign
};

/// Authentication schemes that precede a credential in `Authorization`. They stay readable, so that a plugin that examines them
/// does the same in a replay.
const SCHEMES: [&str; 16] = [
    "Basic",
    "Bearer",
    "Digest",
    "Token",
    "Key",
    "ApiKey",
    "Negotiate",
    "NTLM",
    "OAuth",
    "DPoP",
    "Hawk",
    "HMAC",
    "Signature",
    "AWS4-HMAC-SHA256",
    "TC3-HMAC-SHA256",
    "ACS3-HMAC-SHA256",
];

/// Returns whether the strings of this JSON may hold a credential. Fast; a `true` may be wrong. Names before a colon are left to
/// [`is_named_before`].
pub fn may_stand_in(json: &[u8]) -> bool {
    marks::may_stand_in(json)
        || memchr3_iter(b'=', b'@', b'[', json).any(|at| match json[at] {
            // A list of strings may be a header with its value.
            b'[' => json.get(at + 1) == Some(&b'"'),
            _ => true,
        })
}

/// Returns whether the name of a credential stands before this colon inside a text.
pub fn is_named_before(text: &str, colon: usize, names: &Names) -> bool {
    name_before(text, colon)
        .is_some_and(|name| names.hold(text[name].as_bytes(), SecretPlace::Member))
}

/// Finds the credentials of a text, in order and without overlap.
pub fn find(text: &str, names: &Names) -> Vec<Range<usize>> {
    if text.bytes().any(|byte| IS_SIGN[usize::from(byte)]) {
        find_by_form(text, names)
    } else {
        Vec::new()
    }
}

fn find_by_form(text: &str, names: &Names) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    under_names(text, names, &mut found);
    users(text, &mut found);
    marks::find(text, &mut found);
    found.retain(|range| !matches!(&text[range.clone()], "" | HIDDEN));
    if found.len() > 1 {
        found.sort_by_key(|range| (range.start, range.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        return apart;
    }
    found
}

/// Returns the parts of a value that are credentials, if its name says that it is one: all of it except an authentication
/// scheme before the credential and the names in a cookie. `None` means all of it, which is the common case.
pub fn parts_under(name: &[u8], value: &str) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    if is_cookie(name) {
        cookies(value, &mut found);
    } else {
        found.push(scheme(value)?..value.len());
    }
    found.retain(|range| !range.is_empty());
    Some(found)
}

/// Returns the text for the log, with `HIDDEN` in place of each credential.
pub fn hidden(text: &str) -> Cow<'_, str> {
    let found = find(text, &CREDENTIALS);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut hidden, mut copied) = (String::with_capacity(text.len()), 0);
    for range in found {
        hidden.push_str(&text[copied..range.start]);
        hidden.push_str(HIDDEN);
        copied = range.end;
    }
    hidden.push_str(&text[copied..]);
    Cow::Owned(hidden)
}

/// Returns other forms in which the same credential may occur: with and without the escapes of URLs, and with those of JSON.
pub fn other_forms(credential: &str) -> Vec<String> {
    let mut forms = Vec::new();
    // Without a branch for each byte, because this runs for every credential that is masked.
    let are_plain = credential.bytes().fold(true, |all, byte| all & PLAIN[usize::from(byte)]);
    if are_plain || credential.len() > LONGEST_WITH_FORMS {
        return forms;
    }
    if credential.contains(['"', '\\', '\n']) {
        let escaped = serde_json::to_string(credential).unwrap_or_default();
        forms.extend(escaped.get(1..escaped.len() - 1).map(str::to_owned));
    }
    if credential.contains(['%', '+']) {
        forms.push(unescaped(credential));
    }
    let escaped = url::form_urlencoded::byte_serialize(credential.as_bytes()).collect::<String>();
    forms.push(escaped.replace('+', "%20"));
    forms.push(escaped);
    forms.retain(|form| form != credential && !form.is_empty());
    forms
}

fn unescaped(text: &str) -> String {
    // Parses a value without a name; the text before the first `=` would count as one.
    let query = format!("={}", text.replace('=', "%3D").replace('&', "%26"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Returns the password from the credential that follows `Basic`.
pub fn basic_password(credential: &str) -> Option<String> {
    let decoded = BASE64_STANDARD.decode(credential).ok()?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

/// Finds the credentials in `name=value`, `name: value` and `<name>value<`.
fn under_names(text: &str, names: &Names, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(ahead) = memchr3(b'=', b':', b'>', &bytes[at..]) {
        let sign = at + ahead;
        at = sign + 1;
        let Some(name) = name_before(text, sign) else { continue };
        if bytes[sign] == b'=' && is_part_of_a_form(text, sign, &text[name.clone()]) {
            at = form_part(text, sign, names, found).max(at);
            continue;
        }
        let is_parameter = bytes[sign] == b'=' && is_parameter(bytes, name.start);
        let place = if is_parameter { SecretPlace::Parameter } else { SecretPlace::Member };
        if !names.hold(unescaped_name(&text[name.clone()]).as_bytes(), place) {
            continue;
        }
        let value = value_behind(text, sign, &bytes[name.clone()]);
        at = at.max(value.end);
        let start = value.start;
        match parts_under(&bytes[name], &text[value.clone()]) {
            None => found.push(value),
            Some(parts) => {
                let there = |part: Range<usize>| start + part.start..start + part.end;
                found.extend(parts.into_iter().map(there));
            }
        }
    }
}

fn unescaped_name(name: &str) -> Cow<'_, str> {
    match name.contains('%') {
        true => Cow::Owned(unescaped(name)),
        false => Cow::Borrowed(name),
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'%') || !byte.is_ascii()
}

/// Returns the name before that sign, with or without quotes; of `user[password]`, the inner name.
fn name_before(text: &str, sign: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if bytes[sign] == b'>' {
        return tag_before(text, sign);
    }
    let mut end = sign;
    while end > 0
        && sign - end < LONGEST_NAME
        && matches!(bytes[end - 1], b' ' | b'"' | b'\'' | b'\\' | b']')
    {
        end -= 1;
    }
    let mut from = end;
    while from > 0 && end - from < LONGEST_NAME && is_name(bytes[from - 1]) {
        from -= 1;
    }
    (from < end && text.is_char_boundary(from)).then_some(from..end)
}

/// Returns the name of the tag that ends at `>`: `password` of `<ns:password type="x">`.
fn tag_before(text: &str, sign: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let least = sign.saturating_sub(LONGEST_TAG);
    let from = least + bytes[least..sign].iter().rposition(|byte| *byte == b'<')? + 1;
    let length =
        bytes[from..sign].iter().take_while(|byte| is_name(**byte) || **byte == b':').count();
    let local =
        bytes[from..from + length].iter().rposition(|byte| *byte == b':').map_or(0, |at| at + 1);
    (local < length).then_some(from + local..from + length)
}

/// Returns whether the name is a parameter in a URL, in its fragment, or in a form.
fn is_parameter(bytes: &[u8], name: usize) -> bool {
    name == 0 || matches!(bytes[name - 1], b'?' | b'&' | b'#' | b';')
}

/// Returns the value that follows that sign, without its quotes.
fn value_behind(text: &str, sign: usize, name: &[u8]) -> Range<usize> {
    let bytes = text.as_bytes();
    let mut from = sign + 1;
    if bytes[sign] != b'>' {
        from += bytes[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        from += usize::from(bytes.get(from) == Some(&b'\\'));
    }
    let rest = &bytes[from..];
    let until =
        |is_end: fn(u8) -> bool| rest.iter().position(|byte| is_end(*byte)).unwrap_or(rest.len());
    let length = match (bytes[sign], rest.first()) {
        (b'>', _) => until(|byte| byte == b'<'),
        (_, Some(quote @ (b'"' | b'\''))) => {
            let length = quoted(&rest[1..], *quote);
            return from + 1..from + 1 + length;
        }
        // The value is JSON that was cut off, so its end is unknown.
        (_, Some(b'{' | b'[')) => until(|byte| matches!(byte, b'\r' | b'\n')),
        (b':', _) if is_authorization(name) || is_cookie(name) => {
            until(|byte| matches!(byte, b'\r' | b'\n'))
        }
        (b':', _) => until(|byte| byte.is_ascii_whitespace() || b",;\"'<>{}".contains(&byte)),
        _ => until(|byte| byte.is_ascii_whitespace() || b"&#;\"'<>".contains(&byte)),
    };
    from..from + length
}

/// Returns the length up to the closing quote.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while let Some(ahead) = memchr(quote, &rest[at..]) {
        let end = at + ahead;
        let escapes = rest[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        // A single backslash belongs to the text around it: `{\"password\":\"x\"}`.
        if escapes == 0
            || (escapes == 1 && rest.get(end + 1).is_none_or(|next| b",}] :".contains(next)))
        {
            return end - escapes.min(1);
        }
        at = end + 1;
    }
    rest.len()
}

/// Returns whether this is `name="password"` of a part of `multipart/form-data`.
fn is_part_of_a_form(text: &str, sign: usize, name: &str) -> bool {
    let before = &text.as_bytes()[sign.saturating_sub(LONGEST_NAME)..sign];
    name.eq_ignore_ascii_case("name") && memmem::find(before, b"form-data;").is_some()
}

/// Finds the credential in that part of a form, and returns the part's end.
fn form_part(text: &str, sign: usize, names: &Names, found: &mut Vec<Range<usize>>) -> usize {
    let value = value_behind(text, sign, b"name");
    const BLANK: &[u8] = b"\r\n\r\n";
    let head = &text.as_bytes()[value.end..];
    let head = &head[..head.len().min(LONGEST_PART_HEAD)];
    let Some(blank) = memmem::find(head, BLANK) else { return value.end };
    let from = value.end + blank + BLANK.len();
    if !names.hold(text[value].as_bytes(), SecretPlace::Parameter) {
        return from;
    }
    let end = text[from..].find("\r\n--").map_or(text.len(), |length| from + length);
    found.push(from..end);
    end
}

/// Finds the values of a cookie's pairs, but not those of its attributes.
fn cookies(value: &str, found: &mut Vec<Range<usize>>) {
    const ATTRIBUTES: [&str; 6] = ["path", "domain", "expires", "max-age", "samesite", "version"];
    let mut from = 0;
    for pair in value.split(';') {
        if let Some((name, content)) = pair.split_once('=')
            && !ATTRIBUTES.iter().any(|attribute| name.trim().eq_ignore_ascii_case(attribute))
        {
            let start = from + name.len() + 1;
            found.push(start..start + content.trim_end().len());
        }
        from += pair.len() + 1;
    }
    if found.is_empty() && !value.contains('=') {
        found.push(0..value.len());
    }
}

/// Returns where the credential begins after its authentication scheme. Any other word may be a part of the credential.
fn scheme(value: &str) -> Option<usize> {
    let (word, rest) = value.split_at(memchr(b' ', value.as_bytes())?);
    let is_known = SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
    (is_known && rest.len() > 1).then_some(word.len() + 1)
}

/// Finds the password in `https://user:password@host`, or the user name if there is no password.
fn users(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    for at in memchr_iter(b'@', bytes) {
        let least = at.saturating_sub(LONGEST_USER);
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>\\".contains(byte);
        let Some(before) = bytes[least..at].iter().rposition(ends) else { continue };
        let from = least + before + 1;
        if !bytes[..from].ends_with(b"://") || from == at {
            continue;
        }
        let user = &text[from..at];
        found.push(match user.find(':') {
            Some(colon) if colon + 1 < user.len() => from + colon + 1..at,
            Some(colon) => from..from + colon,
            None => from..at,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_hidden_is_the_credential_and_nothing_else() {
        for (text, without) in [
            (
                "GET https://a.example/x?access_token=abc&page=2#id_token=def",
                "GET https://a.example/x?access_token=…&page=2#id_token=…",
            ),
            ("https://a.example/?Access%2DToken=abc", "https://a.example/?Access%2DToken=…"),
            ("https://a.example/cb?code=abc&state=s", "https://a.example/cb?code=…&state=s"),
            (
                "https://ann:hunter2@a.example/ and https://hunter2@a.example/",
                "https://ann:…@a.example/ and https://…@a.example/",
            ),
            (
                "grant_type=password&password=hunter%202&user=ann",
                "grant_type=password&password=…&user=ann",
            ),
            ("user[password]=hunter2&x=1", "user[password]=…&x=1"),
            (
                "Authorization: Basic aHVudGVyMg== \r\nAccept: */*",
                "Authorization: Basic …\r\nAccept: */*",
            ),
            ("authorization: hunter2 a b", "authorization: …"),
            ("X-Api-Key: abc, and more", "X-Api-Key: …, and more"),
            ("Set-Cookie: sid=abc; Path=/; HttpOnly", "Set-Cookie: sid=…; Path=/; HttpOnly"),
            ("Cookie: a=1; b=2", "Cookie: a=…; b=…"),
            ("use Bearer abcdefgh, please", "use Bearer …, please"),
            ("the bearer of this", "the bearer of this"),
            ("basic training", "basic training"),
            ("it is eyJhbGciOiJIUzI1NiJ9.e30.abcdef here", "it is … here"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----…-----END RSA PRIVATE KEY-----",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
                "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
            ),
            (
                "<soap><ns:Password type=\"x\">hunter2</ns:Password></soap>",
                "<soap><ns:Password type=\"x\">…</ns:Password></soap>",
            ),
            (r#"failed: {"password":"hunter2","a":1"#, r#"failed: {"password":"…","a":1"#),
            (
                r#"failed: {\"password\":\"hunter2\",\"a\":1"#,
                r#"failed: {\"password\":\"…\",\"a\":1"#,
            ),
            ("{'api_key': 'hunter2', 'a': 1}", "{'api_key': '…', 'a': 1}"),
            ("password=\"hunter2\" a=b", "password=\"…\" a=b"),
            (
                "https://open.feishu.cn/open-apis/bot/v2/hook/1234-5678?a=b",
                "https://open.feishu.cn/open-apis/bot/v2/hook/…?a=b",
            ),
            ("at 12:30: hello = world > you", "at 12:30: hello = world > you"),
            ("密码 token: 秘密 好", "密码 token: … 好"),
        ] {
            assert_eq!(hidden(text), without, "{text}");
        }
        let form =
            "--x\r\nContent-Disposition: form-data; name=\"Password\"\r\n\r\nhunter2\r\n--x--";
        assert_eq!(hidden(form), form.replace("hunter2", "…"));
    }

    proptest! {
        #[test]
        fn text_without_a_sign_holds_no_credential(
            parts in vec(
                prop_oneof![
                    "(?i)(bearer|basic|eyj[a-z0-9]{20}|begin|private key|hook|bot|https|password|key|name|token)",
                    r#"["'<\[\]{}&?#;,!_~|\\密a-z0-9]{1,8}"#,
                ],
                0..12,
            ),
        ) {
            let text: String = parts.concat().replace(|sign| SIGNS.contains(&(sign as u8)), "");
            prop_assert!(find_by_form(&text, &CREDENTIALS).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_credential_is_known_in_its_other_forms() {
        assert!(other_forms("a%2Fb").contains(&"a/b".to_owned()));
        assert!(other_forms("a/b").contains(&"a%2Fb".to_owned()));
        assert_eq!(basic_password("YW5uOmh1bnRlcjI=").as_deref(), Some("hunter2"));
        assert!(other_forms("plain").is_empty());
    }

    /// Text that has a sign everywhere costs no more than its length.
    #[test]
    fn any_text_is_looked_through_in_time() {
        for unit in [
            "@",
            "=",
            ":",
            "a=",
            "<a>",
            "://@",
            "eyJ",
            "-----begin ",
            "bearer ",
            "\"'",
            "name=\"",
            "密=",
            "[",
            "%",
            ".eyJ",
            "bearer+",
            "/bot/v2/hook/",
        ] {
            let text = unit.repeat(20_000);
            let began = std::time::Instant::now();
            find(&text, &CREDENTIALS);
            assert!(began.elapsed().as_secs() < 20, "{unit}: {:?}", began.elapsed());
        }
    }
}
