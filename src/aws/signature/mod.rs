//! Who calls: the head of a request and the keys of this server → a known caller, a claim that the body must bear out, or
//! a refusal in AWS's words. Signature Version 4 as boto3 signs, and bearer keys. It must not know HTTP's server nor a clock.

mod authorization;
mod canonical;
mod date;
mod error;
mod keys;
#[cfg(test)]
mod tests;

use ring::hmac;
use sha2::{Digest, Sha256};

pub use authorization::Authorization;
pub use date::Moment;
pub use error::AccessError;
pub use keys::{Keys, KeysError};

use authorization::Scope;
use canonical::hex;
use error::SKEW_S_MAX;

/// boto3 signs for it on both planes.
const SERVICE: &str = "sagemaker";
const TERMINATOR: &str = "aws4_request";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
const CONTENT_HASH: &str = "x-amz-content-sha256";

/// What a request says before its body.
pub struct Head<'a> {
    pub method: &'a str,
    /// As received, before any decoding.
    pub path: &'a str,
    /// Behind the `?`, as received.
    pub query: &'a str,
    /// Names in lower case, in the order received.
    pub fields: Vec<(&'a str, &'a [u8])>,
}

/// Who calls, as far as a head can tell.
pub enum Caller {
    /// By a bearer key.
    Known,
    /// By a signature that covers the body.
    Claimed(Box<Claim>),
}

/// A signature that is right in every respect but one: whether the key that it names has signed this request.
pub struct Claim {
    access_key_id: String,
    key: hmac::Key,
    /// Up to where the hash of the body comes.
    canonical_head: Vec<u8>,
    /// Up to where the hash of the canonical request comes.
    string_to_sign_head: String,
    /// What the caller says of the body beside the signature.
    content_hash: Option<Vec<u8>>,
    signature: [u8; 32],
}

/// Everything but the body, so that a caller without a key need not send one.
pub fn identify(keys: &Keys, head: &Head, now: Moment) -> Result<Caller, AccessError> {
    if canonical::is_signed_in_query(head.query) {
        return Err(AccessError::Presigned);
    }
    let text = head.only("authorization").map_err(|_| AccessError::Malformed("is given twice"))?;
    let text = text.ok_or(AccessError::Missing)?;
    match authorization::bearer(text) {
        Some(key) if keys.has_bearer(key) => Ok(Caller::Known),
        Some(_) => Err(AccessError::Bearer),
        None => claim(keys, head, now, &Authorization::read(text)?).map(|claim| Caller::Claimed(Box::new(claim))),
    }
}

fn claim(keys: &Keys, head: &Head, now: Moment, stated: &Authorization) -> Result<Claim, AccessError> {
    let (date_field, date) = date_of(head)?;
    stated.scope.check(date)?;
    check_skew(date, now)?;
    check_signed(head, &stated.signed_headers, date_field)?;
    let access_key = keys.access_key(stated.access_key_id).ok_or(AccessError::UnknownKey)?;
    let access_key_id = stated.access_key_id.to_owned();
    if !access_key.accepts(head.only(TOKEN).unwrap_or_default()) {
        return Err(AccessError::SessionToken { access_key_id });
    }
    let Scope { date: day, region, .. } = stated.scope;
    Ok(Claim {
        key: signing_key(access_key.secret(), day, region, SERVICE),
        canonical_head: canonical::head(head, &stated.signed_headers)
            .ok_or_else(|| AccessError::Mismatch { access_key_id: access_key_id.clone() })?,
        string_to_sign_head: format!("{ALGORITHM}\n{date}\n{day}/{region}/{SERVICE}/{TERMINATOR}\n"),
        content_hash: head.joined(CONTENT_HASH),
        signature: stated.signature,
        access_key_id,
    })
}

/// When the caller signed, and the header that says so.
fn date_of(head: &Head) -> Result<(&'static str, Moment), AccessError> {
    let shown = |value: &[u8]| AccessError::Date(String::from_utf8_lossy(value).into_owned());
    let read = |name: &'static str, read: fn(&str) -> Option<Moment>| {
        let value = head.joined(name)?;
        let date = std::str::from_utf8(&value).ok().and_then(read).ok_or_else(|| shown(&value));
        Some(date.map(|date| (name, date)))
    };
    read(DATE, Moment::read)
        .or_else(|| read("date", |text| Moment::read(text).or_else(|| Moment::of_http_date(text))))
        .unwrap_or(Err(AccessError::NoDate))
}

fn check_skew(date: Moment, now: Moment) -> Result<(), AccessError> {
    if date < now.plus(-SKEW_S_MAX) {
        Err(AccessError::Expired { date, now })
    } else if date > now.plus(SKEW_S_MAX) {
        Err(AccessError::NotYet { date, now })
    } else {
        Ok(())
    }
}

/// What decides over a request must be signed where it is given.
fn check_signed(head: &Head, signed: &[&str], date_field: &str) -> Result<(), AccessError> {
    let must_be = |name: &str| {
        name == "content-type"
            || name == date_field
            || name.starts_with("x-amz-")
            || name.starts_with("x-amzn-sagemaker-")
    };
    let given = head.fields.iter().map(|(name, _)| *name).filter(|name| must_be(name));
    match ["host"].into_iter().chain(given).find(|name| !signed.contains(name)) {
        Some(name) => Err(AccessError::Unsigned(name.to_owned())),
        None => Ok(()),
    }
}

fn signing_key(secret: &hmac::Key, day: &str, region: &str, service: &str) -> hmac::Key {
    [day, region, service, TERMINATOR].into_iter().fold(secret.clone(), |key, part| {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
    })
}

impl Claim {
    /// Whether the body is the one that was signed. Takes as long as it takes to hash it.
    pub fn verify(&self, body: &[u8]) -> Result<(), AccessError> {
        let body_hash = hex(&Sha256::digest(body));
        if self.content_hash.as_deref().is_some_and(|stated| stated != body_hash.as_bytes()) {
            return Err(AccessError::ContentHash);
        }
        let canonical = Sha256::new().chain_update(&self.canonical_head).chain_update(body_hash).finalize();
        let string_to_sign = format!("{}{}", self.string_to_sign_head, hex(&canonical));
        // In constant time.
        hmac::verify(&self.key, string_to_sign.as_bytes(), &self.signature)
            .map_err(|_| AccessError::Mismatch { access_key_id: self.access_key_id.clone() })
    }
}

impl<'a> Head<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// A header's value without the blanks around it; the error is a header given twice.
    fn only(&self, name: &str) -> Result<Option<&'a [u8]>, ()> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(()),
            (value, None) => Ok(value.map(<[u8]>::trim_ascii)),
        }
    }

    /// A header's canonical value, if it is given.
    fn joined(&self, name: &str) -> Option<Vec<u8>> {
        canonical::joined(self.all(name))
    }
}
