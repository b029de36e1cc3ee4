//! A payload's bytes → the text that may be split into records. Knows nothing of formats.

/// What no payload may have, whatever its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("the text begins with a byte order mark")]
    ByteOrderMark,
    #[error("the text has a NUL character")]
    Nul,
}

/// The text up to the first fault, so that whoever splits it knows the record that the fault stands in.
pub(super) fn readable(payload: &[u8]) -> (&str, Option<PayloadError>) {
    if payload.starts_with("\u{feff}".as_bytes()) {
        return ("", Some(PayloadError::ByteOrderMark));
    }
    let (bytes, fault) = match memchr::memchr(0, payload) {
        Some(at) => (&payload[..at], Some(PayloadError::Nul)),
        None => (payload, None),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, fault),
        Err(_) => (bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()), Some(PayloadError::NotUtf8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_before_the_first_fault() {
        for (payload, expected) in [
            (&b"1,2"[..], ("1,2", None)),
            (b"", ("", None)),
            (b"1,\0\xff", ("1,", Some(PayloadError::Nul))),
            (b"1,\xff\0", ("1,", Some(PayloadError::NotUtf8))),
            (b"\xff", ("", Some(PayloadError::NotUtf8))),
            (b"\xef\xbb\xbf1", ("", Some(PayloadError::ByteOrderMark))),
            ("é\u{feff}".as_bytes(), ("é\u{feff}", None)),
        ] {
            assert_eq!(readable(payload), expected);
        }
    }
}
