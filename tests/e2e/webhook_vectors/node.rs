//! The cases run against the Node SDK.

use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::http::Request;
use aviary_e2e::sender::Signer;
use aviary_e2e::sender::click;
use aviary_e2e::sender::envelope;
use aviary_e2e::sender::legacy_click;
use aviary_e2e::sender::plain;
use aviary_e2e::sender::sealed;
use aviary_e2e::sender::signed;
use serde_json::json;

use super::Case;
use super::Host;
use super::better;
use super::challenge;
use super::same;
use super::wrong_token;

const TOKEN_UNCHECKED: &str = "the verification token is never checked";
const RESERIALISED: &str = "the signature is over JSON that was written anew";
const FORGER_WELCOME: &str = "a forger is told 200";
const NEVER_ANSWERED: &str = "the request is never answered";
const EMPTY_BODY: &str = "an empty body is not JSON";
const UNSIGNED: &str = "an unsigned old card is accepted";

pub(super) fn cases() -> Vec<Case> {
    [callbacks(), handlers(), challenges(), old_cards()].into_iter().flatten().collect()
}

fn a_click() -> String {
    click("b").to_string()
}

fn callbacks() -> Vec<Case> {
    let wrong = plain(wrong_token(click("b")));
    let key = Host::TokenAndKey;
    let forged = signed(envelope(a_click()), Signer::Stranger);
    let spaced = signed(envelope(a_click()).replace(':', " : "), Signer::EncryptKey);
    let escaped = signed(envelope(a_click()).replace('/', "\\/"), Signer::EncryptKey);
    let plain_but_signed = signed(a_click(), Signer::EncryptKey);
    let with_spaces = "v2 encrypted body with spaces, sig over raw bytes";
    let with_slashes = "v2 encrypted body with escaped slashes, sig over raw bytes";
    let no_key = plain(envelope(a_click()));
    let unreadable = "what cannot be read is told 200";
    vec![
        same("v2 card plain no key", Host::Token, plain(a_click())),
        better(
            "v2 card plain no key, WRONG token configured",
            Host::Token,
            wrong,
            401,
            TOKEN_UNCHECKED,
        ),
        same("v2 encrypted good sig", key, sealed(a_click())),
        better("v2 encrypted bad sig", key, forged, 401, FORGER_WELCOME),
        better(with_spaces, key, spaced, 200, RESERIALISED),
        better(with_slashes, key, escaped, 200, RESERIALISED),
        better("v2 encrypted, key missing", Host::Token, no_key, 400, NEVER_ANSWERED),
        same("v2 PLAIN body, key configured, good sig", key, plain_but_signed),
        better("body not json", Host::Token, plain("not json"), 400, unreadable),
    ]
}

fn handlers() -> Vec<Case> {
    let click = || plain(a_click());
    let not_an_object = "the body is not an object";
    vec![
        better("handler undefined", Host::HandlerReturnsNothing, click(), 200, EMPTY_BODY),
        better("handler throws", Host::HandlerFails, click(), 200, NEVER_ANSWERED),
        better("no handler", Host::NoHandler, click(), 200, not_an_object),
    ]
}

fn challenges() -> Vec<Case> {
    let check = || challenge("ajls384kdjx98XX", VERIFICATION_TOKEN);
    let wrong = plain(challenge("x", "another token"));
    let wrong_name = "challenge plain wrong token configured";
    let off = "challenge plain, autoChallenge off";
    let on_request = "the console's check is answered only on request";
    vec![
        same("challenge plain", Host::Token, plain(check())),
        better(wrong_name, Host::Token, wrong, 401, TOKEN_UNCHECKED),
        same("challenge encrypted", Host::TokenAndKey, plain(envelope(check()))),
        better(off, Host::Token, plain(check()), 200, on_request),
    ]
}

fn old_cards() -> Vec<Case> {
    let body = legacy_click("b").to_string();
    let genuine = || -> Request { signed(&body, Signer::VerificationToken) };
    let forged = signed(&body, Signer::Stranger);
    let mut disguised = legacy_click("b");
    disguised["schema"] = json!("2.0");
    let disguised = plain(disguised.to_string());
    let with_schema = "legacy schema2 plain body on CardActionHandler, token set, no key";
    vec![
        same("legacy good sig", Host::LegacyToast, genuine()),
        better("legacy bad sig", Host::LegacyToast, forged, 401, FORGER_WELCOME),
        better("legacy handler undefined", Host::LegacyUnchanged, genuine(), 200, EMPTY_BODY),
        better("legacy handler throws", Host::LegacyFails, genuine(), 200, NEVER_ANSWERED),
        better(with_schema, Host::LegacyToast, disguised, 401, UNSIGNED),
        better("legacy body, no token configured", Host::Key, plain(&body), 401, UNSIGNED),
    ]
}
