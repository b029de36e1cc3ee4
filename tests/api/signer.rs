//! Signs requests as Signature Version 4 has it, apart from the server's own code: plain paths, no query, any headers.

use std::time::{Duration, SystemTime};

use axum::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use ring::{digest, hmac};

use crate::support::with;

const NAMES: &str = "content-type;host;x-amz-date";

pub struct Signer {
    pub access_key_id: &'static str,
    pub secret: &'static str,
    pub host: String,
    /// What the clock of the caller says.
    pub now: SystemTime,
}

impl Signer {
    /// Of InvokeEndpoint with `text/csv`.
    pub fn sign(&self, request: Request<Full<Bytes>>, body: &str) -> Request<Full<Bytes>> {
        let date = self.date();
        let (day, host) = (&date[..8], &self.host);
        let (method, path) = (request.method(), request.uri().path());
        let canonical = format!(
            "{method}\n{path}\n\ncontent-type:text/csv\nhost:{host}\nx-amz-date:{date}\n\n{NAMES}\n{}",
            sha256(body)
        );
        let scope = format!("{day}/us-east-1/sagemaker/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(&canonical));
        let key = scope.split('/').fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &to_sign));
        let id = self.access_key_id;
        let text =
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={NAMES}, Signature={signature}");
        with(with(with(request, "x-amz-date", &date), "host", host), "authorization", text)
    }

    /// Of the form 20150830T123600Z.
    fn date(&self) -> String {
        let since = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let (mut year, mut day) = (1970, since / 86_400);
        while day >= days(year) {
            day -= days(year);
            year += 1;
        }
        let mut month = 0;
        while day >= days_of_month(year, month) {
            day -= days_of_month(year, month);
            month += 1;
        }
        let (hour, minute, second) = (since / 3600 % 24, since / 60 % 60, since % 60);
        format!("{year}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", month + 1, day + 1)
    }
}

fn days(year: u64) -> u64 {
    (0..12).map(|month| days_of_month(year, month)).sum()
}

/// Months count from 0.
fn days_of_month(year: u64, month: usize) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    [31, 28 + u64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
