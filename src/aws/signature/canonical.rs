//! A request as Signature Version 4 writes it for signing, byte for byte as botocore does. Knows no key.

use super::Head;

/// Everything but the hash of the body, which comes last. None when a header is said to be signed and is not there.
pub(super) fn head(head: &Head, signed_headers: &[&str]) -> Option<Vec<u8>> {
    let mut out = head.method.as_bytes().to_vec();
    out.push(b'\n');
    out.extend(path(head.path).into_bytes());
    out.push(b'\n');
    out.extend(query(head.query).into_bytes());
    out.push(b'\n');
    for name in signed_headers {
        out.extend(name.as_bytes());
        out.push(b':');
        out.extend(joined(head.all(name))?);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend(signed_headers.join(";").into_bytes());
    out.push(b'\n');
    Some(out)
}

/// Values of one header, joined by commas. None when there is none.
pub(super) fn joined<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut out = collapsed(values.next()?);
    for value in values {
        out.push(b',');
        out.extend(collapsed(value));
    }
    Some(out)
}

/// Without blanks around it, and with one for several inside. What is no UTF-8 has no blanks but those of ASCII.
fn collapsed(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Ok(text) => text.split_whitespace().collect::<Vec<&str>>().join(" ").into_bytes(),
        Err(_) => {
            let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            words.collect::<Vec<&[u8]>>().join(&b' ')
        }
    }
}

/// Without empty parts, `.` and `..`, and then encoded once more.
fn path(raw: &str) -> String {
    let mut parts = Vec::new();
    for part in raw.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if raw.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    encoded(&format!("/{}{end}", parts.join("/")))
}

fn encoded(path: &str) -> String {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if is_kept(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&format!("{byte:02X}"));
        }
        out
    })
}

/// In order of names, then of values; as encoded as it came.
fn query(raw: &str) -> String {
    if raw.is_empty() {
        return String::new();
    }
    let mut pairs: Vec<(&str, &str)> = parameters(raw).collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<String>>().join("&")
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether the query holds what belongs in the Authorization header.
pub(super) fn is_signed_in_query(query: &str) -> bool {
    let is_of_signature = |name: &str| ["X-Amz-Algorithm", "X-Amz-Signature"].contains(&name);
    parameters(query).any(|(name, _)| is_of_signature(name))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_written_as_botocore_writes_them() {
        for (raw, expected) in [
            ("/", "/"),
            ("/endpoints/e/invocations", "/endpoints/e/invocations"),
            ("/a%20b/%C3%A9~-._", "/a%2520b/%25C3%25A9~-._"),
            ("/a:b@c!'(x)*,;=+$&", "/a%3Ab%40c%21%27%28x%29%2A%2C%3B%3D%2B%24%26"),
            ("//a//b/", "/a/b/"),
            ("/a/./b", "/a/b"),
            ("/a/../../b", "/b"),
            ("/a/..", "/"),
            ("/../", "/"),
            ("/ሴ", "/%E1%88%B4"),
        ] {
            assert_eq!(path(raw), expected, "{raw}");
        }
        for (raw, expected) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&A=3", "A=3&a=1&a=2"),
            ("b&a=x=y", "a=x=y&b="),
            ("a-b=1&a=2", "a=2&a-b=1"),
        ] {
            assert_eq!(query(raw), expected, "{raw}");
        }
    }

    #[test]
    fn values_lose_blanks_and_those_of_one_header_are_joined() {
        let joined = |values: &[&'static str]| {
            let bytes = joined(values.iter().map(|value| value.as_bytes()))?;
            Some(String::from_utf8(bytes).expect("was text"))
        };
        assert_eq!(joined(&[]), None);
        assert_eq!(joined(&[""]).as_deref(), Some(""));
        assert_eq!(joined(&["  a \t b  ", "c,d", ""]).as_deref(), Some("a b,c,d,"));
        assert_eq!(joined(&["é\u{a0}\u{3000}é"]).as_deref(), Some("é é"));
        assert_eq!(collapsed(b" \xff  \xa0b "), b"\xff \xa0b");
    }
}
