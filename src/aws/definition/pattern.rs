//! The regular expressions of AWS's service models, each with a function that means the same; the whole text matches.

use std::path::Path;

use super::location::{is_remote, local_path};

pub struct Pattern {
    /// For the reader of a fault.
    pub regex: &'static str,
    pub admits: fn(&str) -> bool,
}

pub const ANY: Pattern = Pattern { regex: r"[\S\s]*", admits: |_| true };
pub const NOT_EMPTY: Pattern = Pattern { regex: r"[\s\S]+", admits: |text| !text.is_empty() };
pub const NO_BLANKS: Pattern =
    Pattern { regex: r"[\S]+", admits: |text| !text.is_empty() && !text.contains(char::is_whitespace) };
pub const LINE: Pattern =
    Pattern { regex: ".*", admits: |text| !text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) };
pub const ENDPOINT_NAME: Pattern = Pattern { regex: "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", admits: is_hyphenated };
/// A model of the Open Inference Protocol, perhaps with a version: segments of a path that lead nowhere else.
pub const MODEL_PATH: Pattern = Pattern {
    regex: "[a-zA-Z0-9_][a-zA-Z0-9_.-]*(/versions/[a-zA-Z0-9_][a-zA-Z0-9_.-]*)?",
    admits: is_model_path,
};
/// Parameters are no part of it.
pub const MIME_TYPE: Pattern =
    Pattern { regex: r"[a-zA-Z0-9](-*[a-zA-Z0-9])*\/[a-zA-Z0-9](-*[a-zA-Z0-9+.])*", admits: is_mime_type };
/// Local files besides.
pub const LOCATION: Pattern = Pattern {
    regex: "(https|s3)://([^/]+)/?(.*)",
    admits: |text| is_remote(text) || local_path(text, Path::new("")).is_some(),
};

/// `[a-zA-Z0-9](-*[a-zA-Z0-9])*`
fn is_hyphenated(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(is_plain) && text.ends_with(is_plain) && text.chars().all(|c| is_plain(c) || c == '-')
}

fn is_mime_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_subtype = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && is_hyphenated(&text.replace(['+', '.'], "0"))
    };
    essence.split_once('/').is_some_and(|(main, sub)| is_hyphenated(main) && is_subtype(sub))
}

fn is_model_path(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name =
        |name: &str| name.starts_with(is_first) && name.chars().all(|c| is_first(c) || matches!(c, '.' | '-'));
    match text.split_once("/versions/") {
        Some((model, version)) => is_name(model) && is_name(version),
        None => is_name(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_mean_what_the_expressions_say() {
        for (pattern, text, expected) in [
            (ANY, "", true),
            (NOT_EMPTY, "\n", true),
            (NOT_EMPTY, "", false),
            (NO_BLANKS, "a:1", true),
            (NO_BLANKS, "a b", false),
            (NO_BLANKS, "", false),
            (LINE, "", true),
            (LINE, "[0] > `0.5`\t", true),
            (LINE, "a\nb", false),
            (LINE, "a\u{2028}b", false),
            (ENDPOINT_NAME, "a", true),
            (ENDPOINT_NAME, "A--1-b", true),
            (ENDPOINT_NAME, "", false),
            (ENDPOINT_NAME, "-a", false),
            (ENDPOINT_NAME, "a-", false),
            (ENDPOINT_NAME, "a_b", false),
            (ENDPOINT_NAME, "ä", false),
            (MODEL_PATH, "iris", true),
            (MODEL_PATH, "_a.b-c_7", true),
            (MODEL_PATH, "iris/versions/3", true),
            (MODEL_PATH, "iris/versions/v1.2", true),
            (MODEL_PATH, "", false),
            (MODEL_PATH, "..", false),
            (MODEL_PATH, ".iris", false),
            (MODEL_PATH, "iris/", false),
            (MODEL_PATH, "iris/versions/", false),
            (MODEL_PATH, "iris/versions/..", false),
            (MODEL_PATH, "iris/versions/1/versions/2", false),
            (MODEL_PATH, "iris/infer", false),
            (MODEL_PATH, "a%2e", false),
            (MODEL_PATH, "a?b", false),
            (MODEL_PATH, "a#b", false),
            (MODEL_PATH, "a b", false),
            (MODEL_PATH, "é", false),
            (MIME_TYPE, "text/csv", true),
            (MIME_TYPE, "application/x-json+lines.v1", true),
            (MIME_TYPE, "text/csv; charset=utf-8", true),
            (MIME_TYPE, "text", false),
            (MIME_TYPE, "text/", false),
            (MIME_TYPE, "text/+csv", false),
            (MIME_TYPE, "text/csv-", false),
            (MIME_TYPE, "te.xt/csv", false),
            (MIME_TYPE, "text/csv/1", false),
            (LOCATION, "s3://bucket/key", true),
            (LOCATION, "https://host/file", true),
            (LOCATION, "file:baseline.csv", true),
            (LOCATION, "baseline.csv", true),
            (LOCATION, "", false),
            (LOCATION, "http://host/file", false),
            (LOCATION, "s3:///key", false),
        ] {
            assert_eq!((pattern.admits)(text), expected, "{text:?} against {}", pattern.regex);
        }
    }
}
