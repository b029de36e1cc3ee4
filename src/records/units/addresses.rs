//! Whether a word is an address as a whole: a URL with or without its scheme, or of a mailbox.

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use regex::Regex;

use super::characters::pattern;

/// Scheme, user, then an IPv4 address or a domain whose last label is in small letters, port, and the rest.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let edge = r"[A-Za-z0-9\u{a1}-\u{ffff}]";
    let label = format!(r"{edge}(?:[A-Za-z0-9\u{{a1}}-\u{{ffff}}_-]*{edge})?");
    // Vowel signs of India's scripts count as letters.
    let domain = format!(r"(?:{label}\.)+[\p{{Ll}}\p{{Lo}}\u{{900}}-\u{{dff}}]{{2,}}");
    let host = format!(r"(?:(?<ip>[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}})|{domain})");
    pattern(&format!(r"^(?:[\w+.-]{{2,}}://)?(?:.+@)?{host}(?::[0-9]{{2,5}})?(?:[/?#].*)?$"))
});

pub fn is_address(word: &str) -> bool {
    // All of them have a dot.
    let found = word.contains('.').then(|| ADDRESS.captures(word)).flatten();
    found.is_some_and(|found| found.name("ip").is_none_or(|ip| is_public(ip.as_str())))
}

fn is_public(ip: &str) -> bool {
    ip.parse().is_ok_and(|ip: Ipv4Addr| {
        let [network, .., host] = ip.octets();
        let is_own = ip.is_private() || ip.is_loopback() || ip.is_link_local();
        !is_own && (1..224).contains(&network) && (1..255).contains(&host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_mailboxes_are_addresses() {
        for (word, expected) in [
            ("http://example.com", true),
            ("https://example.com:8080/a/b?c=d#e", true),
            ("www.example.co.uk", true),
            ("example.com/", true),
            ("someone@example.com", true),
            ("mailto:a.b+c@example.com", true),
            ("8.8.8.8", true),
            ("http://bücher.example", true),
            ("http://127.0.0.1/", false),
            ("300.1.1.1", false),
            ("end.The", false),
            ("example.COM", false),
            ("3.14", false),
            ("e.g", false),
            ("word", false),
            ("-a.com", false),
            ("a..com", false),
            ("http://", false),
        ] {
            assert_eq!(is_address(word), expected, "{word}");
        }
    }
}
