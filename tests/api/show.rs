//! Whole answers as text for snapshots: what varies from run to run or between processors is checked, then hidden.

use std::fmt::Write;

use explaind::records::{spell, spell_single};

use crate::support::Answer;

/// Decimals of numbers in snapshots. Another processor may change the last digits of the real ones.
const DECIMALS: usize = 4;
/// Headers that say nothing of ours, or follow from the body.
const HIDDEN: [&str; 2] = ["content-length", "date"];

/// Status, headers in alphabetical order, body with one line for each feature.
pub fn show(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    let mut fields: Vec<(&str, &str)> =
        answer.headers.keys().map(|name| (name.as_str(), answer.header(name.as_str()))).collect();
    fields.sort_unstable();
    for (name, value) in fields.into_iter().filter(|(name, _)| !HIDDEN.contains(name)) {
        let value = match name {
            "server-timing" => hide_times(value),
            "x-explaind-stamp" => hide_stamp(value),
            _ => value.to_owned(),
        };
        writeln!(text, "{name}: {value}").expect("writes");
    }
    let body = std::str::from_utf8(&answer.body).expect("the body is UTF-8");
    write!(text, "\n{}", body.replace(",{\"attributions\"", ",\n{\"attributions\"")).expect("writes");
    round(&hide_request_id(&text, answer.header("x-amzn-requestid")))
}

/// What every refusal must have, whatever it says.
pub fn show_error(answer: &Answer) -> String {
    let message = &answer.json()["Message"];
    assert!(answer.status >= 400 && !answer.header("x-amzn-errortype").is_empty(), "{answer:?}");
    assert!(answer.header("content-type") == "application/json" && message.is_string(), "{answer:?}");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{answer:?}");
    show(answer)
}

fn hide_request_id(text: &str, id: &str) -> String {
    if id.is_empty() {
        return text.to_owned();
    }
    let is_uuid = id.len() == 36 && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    assert!(is_uuid, "{id} is not a request ID");
    text.replace(id, "[request id]")
}

/// It changes with every version.
fn hide_stamp(stamp: &str) -> String {
    assert!(stamp.len() == 64 && stamp.bytes().all(|byte| byte.is_ascii_hexdigit()), "{stamp} is not a SHA-256");
    "[stamp]".to_owned()
}

fn hide_times(timing: &str) -> String {
    let hide = |entry: &str| {
        let (stage, took) = entry.split_once(";dur=").expect("each entry has a duration");
        assert!(took.parse::<f64>().expect("is a number") >= 0.0, "{entry}");
        format!("{stage};dur=[ms]")
    };
    timing.split(", ").map(hide).collect::<Vec<String>>().join(", ")
}

/// Rounds every number with more decimals than we show, or an exponent. Each must be spelled as its repr is.
pub fn round(text: &str) -> String {
    let mut rounded = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_inside = rounded.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
        let begins = !is_inside || rounded.ends_with("\\n");
        let (token, is_number) = next_token(rest, begins);
        rounded.push_str(&if is_number { round_number(token) } else { token.to_owned() });
        rest = &rest[token.len()..];
    }
    rounded
}

/// A number, or one character.
fn next_token(text: &str, may_be_number: bool) -> (&str, bool) {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let n_whole = digits(usize::from(text.starts_with('-')));
    if !may_be_number || n_whole == 0 {
        return (&text[..text.chars().next().map_or(0, char::len_utf8)], false);
    }
    let mut end = usize::from(text.starts_with('-')) + n_whole;
    if text[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if ["e-", "e+"].iter().any(|mark| text[end..].starts_with(mark)) && digits(end + 2) > 0 {
        end += 2 + digits(end + 2);
    }
    (&text[..end], true)
}

fn round_number(token: &str) -> String {
    let n_decimals = token.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if n_decimals <= DECIMALS && !token.contains('e') {
        return token.to_owned();
    }
    let number: f64 = token.parse().expect("is a number");
    let is_repr = spell(number) == token || spell_single(number as f32) == token;
    assert!(is_repr, "{token} is not the shortest spelling of its number");
    let text = format!("{number:.DECIMALS$}");
    let text = text.trim_end_matches('0');
    match if text.ends_with('.') { format!("{text}0") } else { text.to_owned() } {
        zero if zero == "-0.0" => "0.0".to_owned(),
        other => other,
    }
}

#[test]
fn numbers_are_rounded_and_other_text_is_kept() {
    let text = r#"{"version":"1.0","data":"0.9766594\n1e-05,2.5","v":[-3.958259263737853e-05,12.345678,3.0],"id":"a1.23456"}"#;
    let expected = r#"{"version":"1.0","data":"0.9767\n0.0,2.5","v":[0.0,12.3457,3.0],"id":"a1.23456"}"#;
    assert_eq!(round(text), expected);
}
