//! The Authorization header → what it states, piece by piece. Knows no key.

use super::date::Moment;
use super::error::AccessError;
use super::{ALGORITHM, SERVICE, TERMINATOR};

const BYTES_MAX: usize = 8 << 10;
const SIGNED_HEADERS_MAX: usize = 64;

/// What a header of Signature Version 4 states.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    pub access_key_id: &'a str,
    pub scope: Scope<'a>,
    /// In lower case and ascending order, each once.
    pub signed_headers: Vec<&'a str>,
    pub signature: [u8; 32],
}

/// What a signature is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Of the form 20150830.
    pub date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    pub terminator: &'a str,
}

/// The key, where the header says that it bears one.
pub(super) fn bearer(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(text.len());
    text[..end].eq_ignore_ascii_case(b"Bearer").then(|| text[end..].trim_ascii())
}

impl<'a> Authorization<'a> {
    pub fn read(text: &'a [u8]) -> Result<Self, AccessError> {
        if text.len() > BYTES_MAX {
            return Err(AccessError::TooLong { limit: BYTES_MAX });
        }
        let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(is_plain));
        let text = text.ok_or(AccessError::Malformed("must be visible ASCII"))?;
        // Another scheme states nothing of what is asked for here.
        let parameters = text.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' ')).unwrap_or_default();
        let [credential, signature, signed_headers] = required(parameters)?;
        let (access_key_id, scope) = read_credential(credential)?;
        let signed_headers = read_names(signed_headers)?;
        let signature = unhex(signature)
            .ok_or(AccessError::Malformed("must hold a signature of 64 hexadecimal digits in lower case"))?;
        Ok(Self { access_key_id, scope, signed_headers, signature })
    }
}

fn is_plain(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

/// The three parameters, in the order in which AWS names those that are missing.
fn required(parameters: &str) -> Result<[&str; 3], AccessError> {
    const NAMES: [&str; 3] = ["Credential", "Signature", "SignedHeaders"];
    let mut values = [None; 3];
    for parameter in parameters.split(',').map(str::trim).filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let place = NAMES.iter().position(|known| *known == name);
        let place = place.ok_or(AccessError::Malformed("has a parameter that is not known"))?;
        if values[place].replace(value).is_some() {
            return Err(AccessError::Malformed("gives a parameter twice"));
        }
    }
    let values = values.map(Option::unwrap_or_default);
    let missing = NAMES.into_iter().zip(values).filter(|(_, value)| value.is_empty());
    let missing: Vec<&'static str> = missing.map(|(name, _)| name).collect();
    if missing.is_empty() { Ok(values) } else { Err(AccessError::Parameters(missing)) }
}

fn read_credential(credential: &str) -> Result<(&str, Scope<'_>), AccessError> {
    let parts: Vec<&str> = credential.splitn(6, '/').collect();
    match parts[..] {
        [id, date, region, service, terminator] if !id.is_empty() && !region.is_empty() => {
            Ok((id, Scope { date, region, service, terminator }))
        }
        _ => Err(AccessError::Credential),
    }
}

fn read_names(names: &str) -> Result<Vec<&str>, AccessError> {
    let names: Vec<&str> = names.splitn(SIGNED_HEADERS_MAX + 1, ';').collect();
    if names.len() > SIGNED_HEADERS_MAX {
        return Err(AccessError::TooManySigned { limit: SIGNED_HEADERS_MAX });
    }
    let is_name = |name: &&str| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if names.iter().all(is_name) && names.is_sorted_by(|one, next| one < next) {
        Ok(names)
    } else {
        Err(AccessError::Malformed("must name the signed headers in lower case and in order, each once"))
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

impl Scope<'_> {
    /// Any region may be signed for.
    pub(super) fn check(&self, date: Moment) -> Result<(), AccessError> {
        if self.terminator != TERMINATOR {
            Err(AccessError::Terminator)
        } else if self.service != SERVICE {
            Err(AccessError::Service)
        } else if self.date != date.day() {
            Err(AccessError::ScopeDate { scope: self.date.to_owned(), date })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";

    fn text(credential: &str, names: &str, signature: &str) -> String {
        format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}")
    }

    #[test]
    fn a_header_is_read_with_and_without_blanks_and_in_any_order() {
        let credential = "me/20150830/eu-west-9/sagemaker/aws4_request";
        let usual = text(credential, "host;x-amz-date", SIGNATURE);
        let read = Authorization::read(usual.as_bytes()).expect("is whole");
        let scope =
            Scope { date: "20150830", region: "eu-west-9", service: "sagemaker", terminator: "aws4_request" };
        assert_eq!((read.access_key_id, read.scope), ("me", scope));
        assert_eq!(read.signed_headers, ["host", "x-amz-date"]);
        assert_eq!(read.signature[..3], [0, 255, 0]);
        let close = usual.replace(", ", ",");
        let turned =
            format!("{ALGORITHM} Signature={SIGNATURE} ,  SignedHeaders=host;x-amz-date,Credential={credential}");
        for other in [&close, &turned] {
            assert_eq!(Authorization::read(other.as_bytes()).as_ref().ok(), Some(&read), "{other}");
        }
    }

    #[test]
    fn what_is_not_whole_is_refused_in_a_sentence() {
        let credential = "me/20150830/eu-west-9/sagemaker/aws4_request";
        let usual = text(credential, "host", SIGNATURE);
        let many: Vec<String> = (0..=SIGNED_HEADERS_MAX).map(|idx| format!("a{idx:03}")).collect();
        let none = "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' \
            parameter. Authorization header requires 'SignedHeaders' parameter.";
        let order = "The Authorization header must name the signed headers in lower case and in order, each once.";
        let digits = "The Authorization header must hold a signature of 64 hexadecimal digits in lower case.";
        let elements =
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term";
        for (header, told) in [
            (String::new(), none),
            ("Basic bWU6c2VjcmV0".to_owned(), none),
            (usual.replace("AWS4-HMAC", "AWS4-ECDSA"), none),
            (ALGORITHM.to_owned(), none),
            (usual.replace("Signature=", "X="), "The Authorization header has a parameter that is not known."),
            (usual.replace(SIGNATURE, ""), "Authorization header requires 'Signature' parameter."),
            (format!("{usual}, Signature={SIGNATURE}"), "The Authorization header gives a parameter twice."),
            (
                usual.replace("Signature=", "Signature=, Signature="),
                "The Authorization header gives a parameter twice.",
            ),
            (text("me/20150830/eu-west-9/sagemaker", "host", SIGNATURE), elements),
            (text("m/e/20150830/eu-west-9/sagemaker/aws4_request", "host", SIGNATURE), elements),
            (text("/20150830/eu-west-9/sagemaker/aws4_request", "host", SIGNATURE), elements),
            (text(credential, "Host", SIGNATURE), order),
            (text(credential, "x;host", SIGNATURE), order),
            (text(credential, "host;host", SIGNATURE), order),
            (text(credential, "host;", SIGNATURE), order),
            (text(credential, &many.join(";"), SIGNATURE), "The signature covers more than 64 headers."),
            (text(credential, "host", &SIGNATURE.to_uppercase()), digits),
            (text(credential, "host", &SIGNATURE[1..]), digits),
            (usual.replace("me/", "mé/"), "The Authorization header must be visible ASCII."),
            (" ".repeat(BYTES_MAX + 1), "The Authorization header has more than 8192 bytes."),
        ] {
            let error = Authorization::read(header.as_bytes()).expect_err(&header);
            assert_eq!(error.to_string(), told, "{header}");
            assert_eq!(error.code(), "IncompleteSignatureException");
        }
    }

    #[test]
    fn the_scheme_of_a_bearer_key_may_be_written_in_any_case() {
        for (header, key) in [
            ("Bearer key", Some("key")),
            ("bearer  key ", Some("key")),
            ("BEARER\tkey", Some("key")),
            ("Bearer", Some("")),
            ("Bearerkey", None),
            ("key", None),
            ("", None),
        ] {
            assert_eq!(bearer(header.as_bytes()), key.map(str::as_bytes), "{header}");
        }
    }
}
