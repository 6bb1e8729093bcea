//! Each rule by itself.

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn name(host: &str) -> bool {
    check_name(&Uri::from_static("/"), &headers(&[("host", host)])).is_ok()
}

#[test]
fn only_this_machine_s_names_are_its_own() {
    for host in [
        "localhost",
        "LOCALHOST:9090",
        "127.0.0.1:9090",
        "127.8.9.1",
        "[::1]:1",
        "[::1]",
        "127.0.0.1:",
    ] {
        assert!(name(host), "{host}");
    }
    for host in [
        "example.com",
        "127.0.0.1.example.com:80",
        "localhost.example.com",
        "localhost:80.example.com",
        "user@localhost",
        "10.0.0.1:9090",
        "0.0.0.0:9090",
        "[::]:9090",
        "[::ffff:10.0.0.1]:1",
        "2130706433",
        "0x7f000001",
        "",
        ":9090",
        "[::2]:1",
        "::1]:1",
        "l\u{f6}calhost",
    ] {
        assert!(!name(host), "{host}");
    }
}

#[test]
fn a_name_is_given_once_or_not_at_all() {
    let check = |uri: &str, pairs: &[(&'static str, &str)]| {
        check_name(&uri.parse().unwrap(), &headers(pairs)).is_ok()
    };
    assert!(check("/", &[]), "no browser");
    assert!(!check("/", &[("host", "localhost"), ("host", "example.com")]));
    assert!(check("http://127.0.0.1:80/", &[("host", "127.0.0.1:80")]));
    assert!(!check("http://example.com/", &[("host", "localhost")]));
}

#[test]
fn a_page_is_our_own_or_there_is_none() {
    let host = ("host", "localhost:80");
    let own = ("origin", "http://localhost:80");
    let foreign = ("origin", "http://example.com");
    let site = |site| ("sec-fetch-site", site);
    for pairs in [
        &[host][..],
        &[host, own],
        &[host, site("same-origin")],
        &[host, site("same-origin"), own],
        &[host, site("same-origin"), ("origin", "null")],
        &[host, site("none")],
    ] {
        for method in [Method::GET, Method::POST] {
            assert_eq!(check_site(&method, &headers(pairs)), Ok(()), "{pairs:?}");
        }
    }
    for pairs in [
        &[host, foreign][..],
        &[host, ("origin", "null")],
        &[host, ("origin", "")],
        &[host, ("origin", "http://localhost:81")],
        &[host, own, own],
        &[host, own, foreign],
        &[host, site("cross-site")],
        &[host, site("same-site")],
        &[host, site("cross-site"), own],
        &[host, site("same-origin"), foreign],
        &[host, site("none"), ("origin", "null")],
        &[host, site("same-origin"), site("cross-site")],
        &[host, site("anything new")],
    ] {
        for method in [Method::GET, Method::POST] {
            assert_eq!(check_site(&method, &headers(pairs)), Err(Stranger::OtherSite), "{pairs:?}");
        }
    }
}

#[test]
fn a_link_may_lead_here_and_a_frame_or_a_form_may_not() {
    let from = |mode, dest| {
        headers(&[
            ("host", "localhost:80"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", dest),
        ])
    };
    assert!(check_site(&Method::GET, &from("navigate", "document")).is_ok());
    assert!(check_site(&Method::POST, &from("navigate", "document")).is_err(), "a form");
    assert!(check_site(&Method::GET, &from("navigate", "iframe")).is_err());
    assert!(check_site(&Method::GET, &from("no-cors", "script")).is_err());
    assert!(check_site(&Method::GET, &from("cors", "empty")).is_err(), "a feed");
    assert!(check_site(&Method::GET, &from("websocket", "websocket")).is_err());
}

#[test]
fn json_is_what_calls_itself_so() {
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert!(is_json(&headers(&[("content-type", kind)])), "{kind}");
    }
    for kind in ["text/plain", "text/plain; application/json", "multipart/form-data", ""] {
        assert!(!is_json(&headers(&[("content-type", kind)])), "{kind}");
    }
    assert!(!is_json(&headers(&[])));
    let twice = [("content-type", "application/json"), ("content-type", "text/plain")];
    assert!(!is_json(&headers(&twice)));
}
