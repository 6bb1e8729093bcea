//! The cases run against the Python SDK.

use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::http::Request;
use aviary_e2e::sender::Signer;
use aviary_e2e::sender::click;
use aviary_e2e::sender::envelope;
use aviary_e2e::sender::event;
use aviary_e2e::sender::plain;
use aviary_e2e::sender::sealed;
use aviary_e2e::sender::signed;

use super::Case;
use super::Host;
use super::better;
use super::challenge;
use super::event_v1;
use super::lower_case_headers;
use super::refused;
use super::same;
use super::upper_case_signature;
use super::wrong_token;

const UNWANTED_TOKEN: &str = "a token that was not configured is demanded";

pub(super) fn cases() -> Vec<Case> {
    [signatures(), tokens(), handlers(), events(), challenges(), garbage()]
        .into_iter()
        .flatten()
        .collect()
}

fn a_click() -> String {
    click("b").to_string()
}

fn signatures() -> Vec<Case> {
    let host = Host::TokenAndKey;
    let forged = signed(envelope(a_click()), Signer::Stranger);
    let shouted = upper_case_signature(sealed(a_click()));
    let whispered = lower_case_headers(sealed(a_click()));
    let by_case = "header names are matched by case";
    vec![
        same("v2 card encrypted + good sig", host, sealed(a_click())),
        refused("v2 card encrypted + bad sig", host, forged, 401),
        refused("v2 card encrypted + UPPERCASE sig", host, shouted, 401),
        refused("v2 card encrypted + no sig headers", host, plain(envelope(a_click())), 401),
        better("v2 card encrypted + lowercase header names", host, whispered, 200, by_case),
        same(
            "v2 card PLAIN body though key configured + good sig",
            host,
            signed(a_click(), Signer::EncryptKey),
        ),
        refused(
            "v2 card encrypted but key not configured",
            Host::Token,
            plain(envelope(a_click())),
            400,
        ),
    ]
}

fn tokens() -> Vec<Case> {
    let wrong = wrong_token(click("b"));
    let name = "v2 card encrypted, key set, empty token";
    vec![
        same("v2 card plain, no key, token ok", Host::Token, plain(a_click())),
        refused("v2 card plain, no key, token wrong", Host::Token, plain(&wrong), 401),
        refused("v2 card encrypted, key set, wrong token", Host::TokenAndKey, sealed(&wrong), 401),
        better(name, Host::Key, sealed(a_click()), 200, UNWANTED_TOKEN),
    ]
}

fn handlers() -> Vec<Case> {
    let click = || plain(a_click());
    let exception = "no answer is an exception";
    let shown_as_error = "the user sees 200671 and the error's text is not JSON";
    vec![
        better("handler returns None", Host::HandlerReturnsNothing, click(), 200, exception),
        better("handler throws", Host::HandlerFails, click(), 200, shown_as_error),
        better("no handler", Host::NoHandler, click(), 200, "the user sees 200671"),
        same("handler returns card", Host::HandlerReturnsCard, click()),
    ]
}

fn events() -> Vec<Case> {
    let wrong = plain(wrong_token(event_v1()));
    vec![
        same("v2 event ok", Host::Token, plain(event().to_string())),
        same("v1 event ok", Host::Token, plain(event_v1().to_string())),
        refused("v1 event wrong token", Host::Token, wrong, 401),
    ]
}

fn challenges() -> Vec<Case> {
    let check = || challenge("ajls384kdjx98XX", VERIFICATION_TOKEN);
    let unsigned = |body: String| -> Request { plain(envelope(body)) };
    let wrong = || challenge("x", "another token");
    let quoted = plain(challenge("a\"b", VERIFICATION_TOKEN));
    let injection = "challenge with quote char (injection)";
    let no_token = "challenge encrypted, no token configured";
    vec![
        same("challenge plain ok", Host::Token, plain(check())),
        refused("challenge plain wrong token", Host::Token, plain(wrong()), 401),
        same("challenge encrypted ok (no sig headers)", Host::TokenAndKey, unsigned(check())),
        refused("challenge encrypted, token wrong", Host::TokenAndKey, unsigned(wrong()), 401),
        better(no_token, Host::Key, unsigned(check()), 200, UNWANTED_TOKEN),
        better(injection, Host::Token, quoted, 200, "the text is pasted between quotes"),
    ]
}

fn garbage() -> Vec<Case> {
    vec![
        refused("body not json", Host::Token, plain("not json"), 400),
        refused("body empty", Host::Token, plain(""), 400),
    ]
}
