//! A container's error text → what a client may see of it: one line of bounded length, without control characters,
//! addresses, paths and tracebacks.

use std::net::IpAddr;

use serde_json::Value;

/// Of a container's error text, what is repeated to the client.
const CHARS_MAX: usize = 1024;

/// In place of the container's address.
const CONTAINER: &str = "(container)";

/// Of a content type.
const TYPE_CHARS_MAX: usize = 100;

/// Members of a JSON error that say what went wrong: of model servers, of the Open Inference Protocol, of frameworks.
const TEXT_MEMBERS: [&str; 3] = ["message", "error", "detail"];

/// Where Python's lists of calls begin.
const TRACEBACK: &str = "Traceback (most recent call last)";

/// `authority` is the container's host and port.
pub(super) fn cleaned(body: &str, authority: &str) -> String {
    // Some clients tell host and port apart.
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let text = without_places(&told(body)).replace(authority, CONTAINER);
    let text = if host.parse::<IpAddr>().is_ok() { text.replace(host, CONTAINER) } else { text };
    visible(&text, CHARS_MAX)
}

/// A content type that could not be read, as a client may see it.
pub(super) fn shown_type(content_type: &str) -> String {
    visible(&without_places(content_type), TYPE_CHARS_MAX)
}

fn visible(text: &str, chars_max: usize) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}

/// The part of a body that is meant for people.
fn told(body: &str) -> String {
    let Ok(Value::Object(error)) = serde_json::from_str(body) else { return without_traceback(body).to_owned() };
    if let Some(Value::Array(faults)) = error.get("detail") {
        return faults.iter().map(fault).collect::<Vec<String>>().join("; ");
    }
    let text = TEXT_MEMBERS.iter().find_map(|member| error.get(*member)?.as_str());
    let Some(text) = text else { return body.to_owned() };
    let exception = error.get("stack_trace").and_then(Value::as_str).and_then(|trace| trace.trim().lines().last());
    let exception = exception.map(|line| format!(" {line}")).unwrap_or_default();
    without_traceback(innermost(text)).to_owned() + &exception
}

/// Of a request that does not fit, FastAPI lists the places, and with each what stands there.
fn fault(fault: &Value) -> String {
    let parts = fault["loc"].as_array().into_iter().flatten();
    let place: Vec<String> =
        parts.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
    format!("{}: {}", place.join("."), fault["msg"].as_str().unwrap_or_default())
}

/// Of errors that are told inside each other, as MLflow does, the last one says what to mend; the first one begins with
/// the records.
fn innermost(text: &str) -> &str {
    ["\nError: ", " Error: "]
        .iter()
        .fold(text, |text, separator| text.rsplit_once(separator).map_or(text, |(_, inner)| inner))
}

/// Model servers write the exception, then the calls; some write the calls alone, which end with the exception.
fn without_traceback(text: &str) -> &str {
    match text.split_once(TRACEBACK) {
        None => text,
        Some((before, calls)) if before.trim().is_empty() => calls.trim().lines().last().unwrap_or_default(),
        Some((before, _)) => before,
    }
}

/// Addresses and paths of more than one part have a word in their place.
fn without_places(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (idx, word) in text.split(' ').enumerate() {
        if idx > 0 {
            clean.push(' ');
        }
        push_without_places(&mut clean, word);
    }
    clean
}

fn push_without_places(clean: &mut String, word: &str) {
    let is_edge = |c: char| c.is_control() || "\"'`()[]{}<>=,;|".contains(c);
    for part in word.split_inclusive(is_edge) {
        let (place, edge) = part.split_at(part.trim_end_matches(is_edge).len());
        clean.push_str(match place {
            address if address.contains("://") => "(address)",
            path if is_path(path) => "(path)",
            other => other,
        });
        clean.push_str(edge);
    }
}

fn is_path(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|rest| rest.trim_end_matches('/').contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_text_is_cut_and_cannot_forge_lines() {
        assert_eq!(cleaned(" no\r\nsuch\u{1b}[31m model\n", "10.0.0.9:1"), "no  such [31m model");
        assert_eq!(cleaned(&"é".repeat(2000), "10.0.0.9:1").chars().count(), CHARS_MAX);
    }

    #[test]
    fn only_what_is_meant_for_people_is_told() {
        for (body, expected) in [
            ("plain", "plain"),
            (r#"{"code":404,"type":"X","message":"Model not found: x"}"#, "Model not found: x"),
            (r#"{"error":"no such input"}"#, "no such input"),
            (r#"{"detail":"Method Not Allowed"}"#, "Method Not Allowed"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
            (
                r#"{"detail":[{"loc":["body","inputs",0,"shape"],"msg":"Field required","input":{"data":[7]}}]}"#,
                "body.inputs.0.shape: Field required",
            ),
            (
                "{\"message\":\"Failed to predict data '[[1]]'. \\nError: Failed to enforce schema of '[[1]]'. Error: Model \
                 is missing inputs ['a'].\"}",
                "Model is missing inputs ['a'].",
            ),
            ("{\"message\":\"x\\nValueError: no\"}", "x ValueError: no"),
            (
                "{\"message\":\"An error.\",\"stack_trace\":\"Traceback ...\\n  File x\\nValueError: no\\n\"}",
                "An error. ValueError: no",
            ),
            ("bad value\nTraceback (most recent call last):\n  File \"/a/b.py\"\nValueError", "bad value"),
            ("Traceback (most recent call last):\n  File \"/a/b.py\"\nValueError: x", "ValueError: x"),
        ] {
            assert_eq!(cleaned(body, "10.0.0.9:1"), expected);
        }
    }

    #[test]
    fn addresses_and_paths_are_left_out() {
        for (text, expected) in [
            ("GET http://10.0.0.1:8080/invocations failed", "GET (address) failed"),
            ("see \"https://user:pw@host/a\", then", "see \"(address)\", then"),
            ("url=s3://bucket/key", "url=(address)"),
            ("10.0.0.9:1 refused", "(container) refused"),
            ("pool(host='10.0.0.9', port=1)", "pool(host='(container)', port=1)"),
            ("File \"/opt/ml/code/a.py\", line 3", "File \"(path)\", line 3"),
            ("no /invocations here, text/csv 1/2 a/b", "no /invocations here, text/csv 1/2 a/b"),
        ] {
            assert_eq!(cleaned(text, "10.0.0.9:1"), expected);
        }
    }
}
