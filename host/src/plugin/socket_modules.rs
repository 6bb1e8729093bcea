//! Names the Python modules of a plugin that need sockets. No plugin has any, so what they ask raises an exception in the middle
//! of a call, and their author should know before.
//!
//! A component made of Python is a snapshot of the interpreter after its imports, and holds the path of each module's file.

use memchr::memmem;

/// Part of every component that componentize-py has made.
const PYTHON: &[u8] = b"componentize_py_runtime";
/// Modules that open sockets, each with the end of a path that only an interpreter that has imported it holds.
const MODULES: [(&str, &str); 14] = [
    ("requests", "/requests/sessions.py"),
    ("urllib3", "/urllib3/connectionpool.py"),
    ("urllib.request", "/urllib/request.py"),
    ("http.client", "/http/client.py"),
    ("httpx", "/httpx/_client.py"),
    ("httpcore", "/httpcore/_api.py"),
    ("aiohttp", "/aiohttp/client.py"),
    ("websockets", "/websockets/client.py"),
    ("smtplib", "/smtplib.py"),
    ("ftplib", "/ftplib.py"),
    ("redis", "/redis/connection.py"),
    ("pymysql", "/pymysql/connections.py"),
    ("psycopg", "/psycopg/connection.py"),
    ("pymongo", "/pymongo/pool.py"),
];

/// Returns a sentence if the file holds such modules. Reads the whole file, which takes too long for an I/O thread.
pub fn socket_modules(wasm: &[u8]) -> Option<String> {
    let has = |part: &[u8]| memmem::find(wasm, part).is_some();
    if !has(PYTHON) {
        return None;
    }
    let found: Vec<_> =
        MODULES.iter().filter(|(_, path)| has(path.as_bytes())).map(|(name, _)| *name).collect();
    match found.as_slice() {
        [] => None,
        names => Some(format!(
            "it imports {}: no plugin has sockets, so their requests raise an exception. Ask the platform with lark:callback/open-api, and other servers with wasi:http",
            names.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_interpreter_has_imported_counts() {
        let wasm = |parts: &[&str]| parts.join("\0").into_bytes();
        let python = "componentize_py_runtime";
        let said = socket_modules(&wasm(&[python, "/1/requests/sessions.py"])).unwrap();
        assert!(said.contains("imports requests:"), "{said}");
        assert_eq!(socket_modules(&wasm(&[python, "requests", "/python/socket.py"])), None);
        assert_eq!(socket_modules(&wasm(&["/1/requests/sessions.py"])), None);
    }
}
