//! Texts that say where something is → local paths and base URLs. Opens nothing.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use super::pattern::LINE;
use super::shape::{Member, Shape};

/// Plain paths and `file:` URLs, relative to `folder`. One letter before a colon is a drive, not a scheme.
pub fn local_path(location: &str, folder: &Path) -> Option<PathBuf> {
    let path = match location.split_once(':') {
        Some(("file", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((scheme, _)) if scheme.len() > 1 => return None,
        _ => location,
    };
    (!path.is_empty()).then(|| folder.join(path))
}

/// `(https|s3)://([^/]+)/?(.*)`
pub fn is_remote(location: &str) -> bool {
    let rest = location.strip_prefix("https://").or_else(|| location.strip_prefix("s3://"));
    let parts = rest.map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    parts.is_some_and(|(host, path)| !host.is_empty() && (LINE.admits)(path))
}

pub fn is_http(location: &str) -> bool {
    let scheme = location.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The base URL of a running container, without a slash at its end.
pub struct ContainerUrl;

impl Shape for ContainerUrl {
    type Read = String;

    fn read(&self, mut member: Member) -> Option<String> {
        let text = member.of_kind(member.value.as_str(), "a String")?;
        let url = base_url(text);
        if url.is_none() {
            // What stands before the @ may be a password.
            let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest).into();
            let constraint = "Member must be http or https, a host and at most a port, as http://127.0.0.1:8080";
            Member { value: &shown, ..member }.refuse(constraint);
        }
        url
    }
}

pub(super) fn base_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").filter(|_| is_http(text))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    is_authority(authority).then(|| format!("{}://{authority}", scheme.to_ascii_lowercase()))
}

fn is_authority(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        let parts = rest.split_once(']');
        return parts.is_some_and(|(host, port)| host.parse::<Ipv6Addr>().is_ok() && is_port(port));
    }
    let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !host.is_empty() && host.chars().all(is_name) && is_port(port)
}

/// `:8080`, or nothing.
fn is_port(text: &str) -> bool {
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = |text: &str| text.strip_prefix(':').filter(|digits| is_number(digits))?.parse::<u16>().ok();
    text.is_empty() || port(text).is_some_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fault::Faults;

    #[test]
    fn local_paths_are_relative_to_the_definition() {
        for (location, expected) in [
            ("model.json", Some("folder/model.json")),
            ("file:model.json", Some("folder/model.json")),
            ("file://models/m.json", Some("folder/models/m.json")),
            ("file:///models/m.json", Some("/models/m.json")),
            ("/models/m.json", Some("/models/m.json")),
            ("", None),
            ("file:", None),
            ("file://", None),
            ("s3://bucket/m.json", None),
            ("http://host/m.json", None),
        ] {
            assert_eq!(local_path(location, Path::new("folder")), expected.map(PathBuf::from), "{location}");
        }
    }

    #[test]
    fn remote_locations_name_a_host_or_a_bucket() {
        for (location, expected) in [
            ("s3://bucket", true),
            ("s3://bucket/", true),
            ("https://host/a//b?c", true),
            ("s3://", false),
            ("s3:///key", false),
            ("s3:bucket", false),
            ("S3://bucket", false),
            ("http://host/a", false),
            ("s3://bucket/a\nb", false),
        ] {
            assert_eq!(is_remote(location), expected, "{location}");
        }
    }

    #[test]
    fn containers_are_named_by_scheme_host_and_port_alone() {
        for (text, expected) in [
            ("http://localhost", Some("http://localhost")),
            ("http://localhost/", Some("http://localhost")),
            ("HTTPS://model_server-1.example:8080", Some("https://model_server-1.example:8080")),
            ("http://127.0.0.1:65535/", Some("http://127.0.0.1:65535")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://[::1]", Some("http://[::1]")),
            ("", None),
            ("localhost:8080", None),
            ("ftp://localhost", None),
            ("http://", None),
            ("http:///", None),
            ("http://:8080", None),
            ("http://a:0", None),
            ("http://a:65536", None),
            ("http://a:+80", None),
            ("http://a:", None),
            ("http://a:8080:1", None),
            ("http://a//", None),
            ("http://a/invocations", None),
            ("http://a?b", None),
            ("http://a#b", None),
            ("http://user:secret@a", None),
            ("http://a b", None),
            ("http://[::1", None),
            ("http://[::1]8080", None),
            ("http://[a]", None),
        ] {
            assert_eq!(base_url(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_refused_url_keeps_its_password() {
        let mut faults = Faults::default();
        let value = "http://user:secret@host/".into();
        ContainerUrl.read(Member { value: &value, path: "image".to_owned(), faults: &mut faults });
        assert!(faults.to_string().contains("Value 'host/' at 'image'"), "{faults}");
    }
}
