//! `--allow-backend` → which hosts fit it: each part of a URL is held against its own part of the pattern, so that no
//! star reaches over a port, a password or a path.

use std::net::IpAddr;

use reqwest::Url;

use crate::config::fits;

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) scheme: String,
    /// Lower case, addresses in their usual spelling, without a dot at the end.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    /// None where it names no host.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let host = url.host_str()?;
        let host = host.strip_suffix('.').unwrap_or(host);
        let port = url.port_or_known_default()?;
        Some(Self { scheme: url.scheme().to_owned(), host: host.to_owned(), port })
    }

    /// The same place by one of its addresses.
    pub(super) fn at(&self, address: IpAddr) -> Self {
        let host = match address {
            IpAddr::V4(short) => short.to_string(),
            IpAddr::V6(long) => format!("[{long}]"),
        };
        Self { host, ..self.clone() }
    }

    /// None where the host is a name.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let long = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        long.unwrap_or(&self.host).parse().ok()
    }
}

/// HOST, HOST:PORT or SCHEME://HOST:PORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    scheme: Option<String>,
    host: String,
    port: Option<u16>,
    is_of_addresses: bool,
}

impl Backend {
    /// None for what is no pattern.
    pub(super) fn read(pattern: &str) -> Option<Self> {
        let pattern = pattern.to_ascii_lowercase();
        let (scheme, rest) = match pattern.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme.to_owned()), rest),
            Some(_) => return None,
            None => (None, pattern.as_str()),
        };
        let (host, port) = split(rest)?;
        let host = spelled(host)?;
        Some(Self { scheme, is_of_addresses: is_of_addresses(&host), host, port })
    }

    pub(super) fn fits(&self, place: &Place) -> bool {
        self.scheme.as_ref().is_none_or(|scheme| *scheme == place.scheme)
            && self.port.is_none_or(|port| port == place.port)
            && (!self.is_of_addresses || place.address().is_some())
            && fits(&self.host, &place.host)
    }
}

/// Host and port.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text.find(':').unwrap_or(text.len()),
    };
    match text.split_at(host_end) {
        (host, "") => Some((host, None)),
        (host, port) => {
            let digits = port.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?;
            Some((host, Some(digits.parse().ok().filter(|port| *port > 0)?)))
        }
    }
}

/// As the host of a URL is spelled.
fn spelled(host: &str) -> Option<String> {
    let may_hold = if host.starts_with('[') { "[]:.*" } else { "-._*" };
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || may_hold.contains(byte as char))
    {
        return None;
    }
    if host.contains('*') {
        return Some(host.to_owned());
    }
    Place::of(&format!("http://{host}/").parse().ok()?).map(|place| place.host)
}

/// Numbers and stars stand for addresses, never for a name that begins or ends like one.
fn is_of_addresses(host: &str) -> bool {
    let is_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'*');
    host.starts_with('[') || (host.bytes().all(is_number) && host.contains(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::of(&url.parse().expect("is a URL")).expect("has a host")
    }

    #[test]
    fn a_pattern_fits_hosts_part_by_part() {
        for (pattern, url, expected) in [
            ("models.example", "https://models.example/a", true),
            ("models.example", "http://MODELS.example.:8080", true),
            ("Models.Example", "http://models.example", true),
            ("models.example", "http://models.example.evil.test", false),
            ("models.example:8080", "http://models.example:8080", true),
            ("models.example:8080", "http://models.example", false),
            ("models.example:443", "https://models.example", true),
            ("models.example:443", "http://models.example", false),
            ("https://models.example", "https://models.example:8443", true),
            ("https://models.example", "http://models.example:443", false),
            ("http://models.example:80", "http://models.example", true),
            ("*.example", "https://a.b.example", true),
            ("*.example", "https://example", false),
            ("*.example", "https://evil.test/.example", false),
            ("*.example", "https://evil.test?.example", false),
            ("*.example", "https://evil.test#.example", false),
            ("*.example", "https://a.example@evil.test", false),
            ("*.example:443", "https://evil.test:4430/.example:443", false),
            ("models*", "http://models:1@evil.test", false),
            ("localhost", "http://localhost:8080@evil.test:8080", false),
            ("*", "http://anything:1", true),
            ("*:8080", "http://anything:8080", true),
            ("*:8080", "http://anything:8081", false),
            ("127.*", "http://127.0.0.1:8080", true),
            ("127.*", "http://2130706433", true),
            ("127.*", "http://0177.1", true),
            ("127.*", "http://0x7f.0.0.1", true),
            ("127.*", "http://127.evil.test", false),
            ("10.*.1", "http://10.evil.test.x1", false),
            ("*.0.0.1", "http://evil.test", false),
            ("0x7f.1", "http://127.0.0.1", true),
            ("[::1]", "http://[0:0::1]:8080", true),
            ("[0::1]:8080", "http://[::1]:8080", true),
            ("[::1]", "http://[::ffff:127.0.0.1]", false),
            ("[fd00:*]", "http://[fd00::7]", true),
            ("[fd00:*]", "http://[fd01::7]", false),
            ("*.s3.eu-west-1.amazonaws.com", "https://bucket.s3.eu-west-1.amazonaws.com/key", true),
            ("*.s3.eu-west-1.amazonaws.com", "https://bucket.s3.eu-west-1.amazonaws.com.evil.test/key", false),
        ] {
            let backend = Backend::read(pattern).expect("is a pattern");
            assert_eq!(backend.fits(&place(url)), expected, "{pattern} {url}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in [
            "",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:*",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]1",
            "[x]",
            "ftp://a",
            "://a",
            "*://a",
            "http://",
            "http://a/",
            "http://a/b",
            "user@a",
            "u:p@a",
            "a b",
            "a?b",
            "a#b",
            "a%2eb",
            "é",
            "a,b",
            "1.2.3.4.5",
        ] {
            assert_eq!(Backend::read(pattern), None, "{pattern}");
        }
    }
}
