//! What holds for any bytes that are taken for the value of a header.

use std::path::{Component, Path};
use std::time::{Duration, SystemTime};

use explaind::aws::fault::Faults;
use explaind::aws::headers;
use explaind::aws::signature::{AccessError, Authorization, Caller, Head, Keys, identify};
use explaind::records::{Filter, Format};

use super::{ERROR_BYTES_MAX, check_text};

/// The first byte says which header; each line that follows is a value of it.
pub fn read(data: &[u8]) -> bool {
    let Some((&which, values)) = data.split_first() else { return false };
    let limit = &headers::LIMITS[usize::from(which) % headers::LIMITS.len()];
    let values: Vec<&[u8]> = values.split(|&byte| byte == b'\n').collect();
    let mut faults = Faults::default();
    limit.check(&values, &mut faults);
    check_text(&faults.to_string(), ERROR_BYTES_MAX);
    assert!(!faults.to_string().contains(char::is_control), "{faults}");
    if !faults.is_empty() {
        return false;
    }
    let text = std::str::from_utf8(values[0]).expect("a value without faults is UTF-8");
    assert!(text.trim().chars().count() <= 1024);
    check_mime(text);
    match Filter::compile(text.trim()) {
        Ok(filter) => assert!(filter.select(&[]).is_ok_and(|selected| selected.is_empty())),
        Err(error) => check_text(&error.to_string(), 4 * ERROR_BYTES_MAX),
    }
    true
}

/// Case, blanks and parameters of a MIME type say nothing.
fn check_mime(text: &str) {
    let format = Format::from_mime(text);
    for other in [text.to_ascii_uppercase(), format!("\t{text} "), format!("{text} ; a=b")] {
        assert_eq!(Format::from_mime(&other), format, "{other:?}");
    }
}

/// What is accepted stays below its root; plain names are accepted.
pub fn target_model(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match headers::target_model(text) {
        Ok(name) => {
            assert_eq!(name.as_str(), text);
            let (root, path) = (Path::new("/models/root"), name.below(Path::new("/models/root")));
            let parts = path.strip_prefix(root).expect("begins with the root").components();
            let parts: Vec<Component> = parts.collect();
            assert!(
                !parts.is_empty() && parts.iter().all(|part| matches!(part, Component::Normal(_))),
                "{text:?}"
            );
            assert_eq!(parts.len(), text.split('/').count());
            assert!(!text.contains(|c: char| c.is_control() || c == '\\'), "{text:?}");
            true
        }
        Err(faults) => {
            check_text(&faults.to_string(), ERROR_BYTES_MAX);
            assert!(!faults.to_string().contains(char::is_control), "{faults}");
            assert!(!(1..=1024).contains(&data.len()) || !data.iter().copied().all(is_plain), "{text:?}");
            false
        }
    }
}

/// A header that is read says what it says, however it is spaced, and none that is made up lets anybody in.
pub fn authorization(data: &[u8]) -> bool {
    check_nobody_is_let_in(data);
    match Authorization::read(data) {
        Ok(read) => {
            let names = &read.signed_headers;
            assert!(names.is_sorted_by(|one, next| one < next) && names.iter().all(|name| !name.is_empty()));
            let again = written(&read);
            assert_eq!(Authorization::read(again.as_bytes()).as_ref().ok(), Some(&read), "{again}");
            true
        }
        Err(error) => {
            check_refusal(&error);
            false
        }
    }
}

fn written(read: &Authorization) -> String {
    let names = read.signed_headers.join(";");
    let scope = [read.scope.date, read.scope.region, read.scope.service, read.scope.terminator].join("/");
    let signature: String = read.signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = read.access_key_id;
    format!("AWS4-HMAC-SHA256 Signature={signature},Credential={id}/{scope},SignedHeaders={names}")
}

fn check_nobody_is_let_in(authorization: &[u8]) {
    let keys = Keys::read(br#"[{"access_key_id": "me", "secret_access_key": "secret"}]"#);
    let keys = keys.unwrap_or_else(|error| panic!("{error}"));
    let fields = vec![
        ("host", b"localhost".as_slice()),
        ("x-amz-date", b"20150830T123600Z"),
        ("authorization", authorization),
    ];
    let head = Head { method: "POST", path: "/", query: "", fields };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    match identify(&keys, &head, now.into()) {
        Ok(Caller::Known) => panic!("no bearer key is known"),
        Ok(Caller::Claimed(claim)) => check_refusal(&claim.verify(b"").expect_err("nobody has signed")),
        Err(error) => check_refusal(&error),
    }
}

fn check_refusal(error: &AccessError) {
    check_text(&error.to_string(), ERROR_BYTES_MAX);
    assert!(!error.to_string().contains(char::is_control), "{error}");
    assert!(error.code().ends_with("Exception") && !error.reason().is_empty());
}
