//! What holds for any pattern of hosts and any URL.

use std::net::Ipv4Addr;

use explaind::fetch::{Reach, ReachError};

use super::{ERROR_BYTES_MAX, check_text, first_line};

/// The first line is a pattern, the rest a URL.
pub fn admit(data: &[u8]) -> bool {
    let Some((pattern, Ok(url))) = first_line(data).map(|(line, rest)| (line, std::str::from_utf8(rest))) else {
        return false;
    };
    let reach = match Reach::confined(&[], &[], &[pattern]) {
        Ok(reach) => reach,
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            assert!(!pattern.contains('@') || !error.to_string().contains(pattern), "{error}");
            return false;
        }
    };
    let admits = |url: &str| reach.named_host(url).is_ok();
    if let Err(error) = reach.named_host(url) {
        check_text(&error.to_string(), url.len() + ERROR_BYTES_MAX);
        // Nothing but an address is off limits.
        assert!(!matches!(error, ReachError::ThisMachine { .. }) || pattern != "*");
    }
    check_parts(url, &admits);
    for address in [[169, 254, 169, 254], [0, 0, 0, 0], [224, 0, 0, 1]].map(Ipv4Addr::from) {
        for host in [address.to_string(), u32::from(address).to_string(), format!("[::ffff:{address}]")] {
            assert!(!admits(&format!("http://{host}")), "{pattern:?} admits {host}");
        }
    }
    admits(url)
}

/// Only scheme, host and port of a URL count.
fn check_parts(url: &str, admits: &impl Fn(&str) -> bool) {
    const ELSEWHERE: &str = "elsewhere.invalid";
    let Some((scheme @ ("http" | "https"), rest)) = url.split_once("://") else { return };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let text: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-:".contains(*c)).collect();
    let plain = admits(&format!("{scheme}://{ELSEWHERE}/"));
    for trick in ["@", "/", "?", "#"].map(|mark| match mark {
        "@" => format!("{scheme}://{text}@{ELSEWHERE}/"),
        mark => format!("{scheme}://{ELSEWHERE}/{mark}{text}"),
    }) {
        assert_eq!(admits(&trick), plain, "{trick}");
    }
    if !text.is_empty() && text == host {
        let own = admits(&format!("{scheme}://{text}/"));
        for other in
            [format!("{scheme}://{text}/a/b"), format!("{scheme}://{text}?a"), format!("{scheme}://u:p@{text}#a")]
        {
            assert_eq!(admits(&other), own, "{other}");
        }
    }
}
