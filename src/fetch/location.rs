//! The text of a location → which kind it is, and the text as it may be shown.

use std::path::Path;

use reqwest::Url;

use super::error::Reason;

#[derive(Debug, PartialEq)]
pub(super) enum Location<'a> {
    File(&'a Path),
    S3 { bucket: &'a str, key: &'a str },
    Https(Url),
}

impl<'a> Location<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Reason> {
        match text.split_once(':') {
            Some(("file", path)) => Ok(Self::File(Path::new(path.strip_prefix("//").unwrap_or(path)))),
            Some(("s3", object)) => Self::read_object(object).ok_or(Reason::NotAnObject),
            Some(("https", _)) => text.parse().map(Self::Https).map_err(|_| Reason::NotAUrl),
            Some(("http", _)) => Err(Reason::Unencrypted),
            Some((scheme, _)) if is_scheme(scheme) => Err(Reason::Scheme),
            _ => Ok(Self::File(Path::new(text))),
        }
    }

    /// The bucket becomes part of a host name, so it may hold nothing that ends one.
    fn read_object(object: &'a str) -> Option<Self> {
        let (bucket, key) = object.strip_prefix("//")?.split_once('/')?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let fits = !bucket.is_empty() && bucket.bytes().all(is_plain) && !key.is_empty();
        fits.then_some(Self::S3 { bucket, key })
    }
}

/// One letter is a drive.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Of a URL: no user, no password, no query, no fragment. Of a path: all.
pub fn shown(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return location.to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> String {
        match Location::read(text) {
            Ok(Location::File(path)) => format!("file {}", path.display()),
            Ok(Location::S3 { bucket, key }) => format!("bucket {bucket} key {key}"),
            Ok(Location::Https(url)) => format!("url {url}"),
            Err(reason) => reason.to_string(),
        }
    }

    #[test]
    fn the_scheme_decides_what_a_location_is() {
        let no_object = Reason::NotAnObject.to_string();
        for (text, expected) in [
            ("a/b.csv", "file a/b.csv"),
            ("C:\\b.csv", "file C:\\b.csv"),
            ("./a:b.csv", "file ./a:b.csv"),
            ("file:a/b.csv", "file a/b.csv"),
            ("file:///a/b.csv", "file /a/b.csv"),
            ("s3://bucket/a b/c#1?.csv", "bucket bucket key a b/c#1?.csv"),
            ("s3://bucket", &no_object),
            ("s3://bucket/", &no_object),
            ("s3:bucket/key", &no_object),
            ("s3:///key", &no_object),
            ("s3://elsewhere.example#/key", &no_object),
            ("s3://a@b/key", &no_object),
            ("https://host:1/a.csv?b=c%2Fd", "url https://host:1/a.csv?b=c%2Fd"),
            ("https://", &Reason::NotAUrl.to_string()),
            ("http://host/a.csv", &Reason::Unencrypted.to_string()),
            ("ftp://host/a.csv", &Reason::Scheme.to_string()),
            ("gs://bucket/key", &Reason::Scheme.to_string()),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_shown_location_has_no_secrets() {
        for (location, expected) in [
            ("what?.csv", "what?.csv"),
            ("https://host:1/a/b.csv?X-Amz-Signature=secret", "https://host:1/a/b.csv"),
            ("https://user:secret@host/a@b#secret", "https://host/a@b"),
            ("https://user:sec@ret@host?a=secret/b", "https://host"),
            ("s3://id:secret@bucket/key", "s3://bucket/key"),
            ("http://user:secret@host", "http://host"),
        ] {
            assert_eq!(shown(location), expected);
        }
    }
}
