//! A file of keys → who may call. Nothing here shows a secret: no Debug, no error that quotes the file.

use std::collections::HashMap;
use std::fmt;

use ring::hmac;
use serde::Deserializer;
use serde::de::{Deserialize, MapAccess, Visitor};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

pub const KEYS_MAX: usize = 1_000;
/// Of one key, secret or token.
const TEXT_BYTES_MAX: usize = 4_096;

/// Who may call.
pub struct Keys {
    access_keys: HashMap<String, AccessKey>,
    bearers: Vec<Fingerprint>,
}

pub(super) struct AccessKey {
    /// `AWS4` and the secret, from which each day's key is made.
    secret: hmac::Key,
    session_token: Option<Fingerprint>,
}

/// Stands for a secret in comparisons, whose time then says nothing of the secret, not even its length.
#[derive(Clone, Copy)]
struct Fingerprint([u8; 32]);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeysError {
    #[error(
        "line {line}, column {column}: not a JSON list of {{\"access_key_id\", \"secret_access_key\"}}, with a \
         \"session_token\" or without, and {{\"bearer\"}}, all of them texts"
    )]
    Json { line: usize, column: usize },
    #[error("there is no key in it")]
    Empty,
    #[error("it holds {n_keys} keys, more than the limit of {limit}")]
    TooMany { n_keys: usize, limit: usize },
    #[error("key {entry} has a member that is not known; known: {}", MEMBERS.join(", "))]
    Unknown { entry: usize },
    #[error("key {entry} has {member} twice")]
    MemberTwice { entry: usize, member: &'static str },
    #[error("key {entry} needs access_key_id and secret_access_key, or bearer alone")]
    Members { entry: usize },
    #[error(
        "key {entry}: {member} must be 1 to {TEXT_BYTES_MAX} visible ASCII characters without blanks{}",
        without(member)
    )]
    Text { entry: usize, member: &'static str },
    #[error("key {entry} has the {member} of a key before it")]
    Twice { entry: usize, member: &'static str },
}

const ID: &str = "access_key_id";
const BEARER: &str = "bearer";
const MEMBERS: [&str; 4] = [ID, "secret_access_key", "session_token", BEARER];

/// These stand between an ID and what follows it in a request.
fn without(member: &str) -> &'static str {
    if member == ID { ", slashes and commas" } else { "" }
}

impl Keys {
    /// Numbers of keys in errors begin at 1.
    pub fn read(json: &[u8]) -> Result<Self, KeysError> {
        let entries: Vec<Members> = serde_json::from_slice(json)
            .map_err(|error| KeysError::Json { line: error.line(), column: error.column() })?;
        match entries.len() {
            0 => return Err(KeysError::Empty),
            n_keys if n_keys > KEYS_MAX => return Err(KeysError::TooMany { n_keys, limit: KEYS_MAX }),
            _ => {}
        }
        let mut keys = Self { access_keys: HashMap::new(), bearers: Vec::new() };
        for (idx, members) in entries.iter().enumerate() {
            keys.add(idx + 1, read_members(idx + 1, members)?)?;
        }
        Ok(keys)
    }

    pub fn n_access_keys(&self) -> usize {
        self.access_keys.len()
    }

    pub fn n_bearers(&self) -> usize {
        self.bearers.len()
    }

    fn add(&mut self, entry: usize, texts: [Option<&str>; 4]) -> Result<(), KeysError> {
        match texts {
            [Some(id), Some(secret), token, None] => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
                let session_token = token.map(|token| Fingerprint::of(token.as_bytes()));
                let before = self.access_keys.insert(id.to_owned(), AccessKey { secret, session_token });
                before.map_or(Ok(()), |_| Err(KeysError::Twice { entry, member: ID }))
            }
            [None, None, None, Some(bearer)] => {
                if self.has_bearer(bearer.as_bytes()) {
                    return Err(KeysError::Twice { entry, member: BEARER });
                }
                self.bearers.push(Fingerprint::of(bearer.as_bytes()));
                Ok(())
            }
            _ => Err(KeysError::Members { entry }),
        }
    }

    pub(super) fn access_key(&self, id: &str) -> Option<&AccessKey> {
        self.access_keys.get(id)
    }

    /// All are compared, so that the time does not say which one it was.
    pub(super) fn has_bearer(&self, given: &[u8]) -> bool {
        let given = Fingerprint::of(given);
        let found = self.bearers.iter().fold(Choice::from(0), |found, own| found | own.0.ct_eq(&given.0));
        found.into()
    }
}

impl AccessKey {
    pub(super) fn secret(&self) -> &hmac::Key {
        &self.secret
    }

    /// A key without a session token takes any: that it is signed is enough.
    pub(super) fn accepts(&self, given: Option<&[u8]>) -> bool {
        self.session_token
            .is_none_or(|own| given.is_some_and(|given| own.0.ct_eq(&Fingerprint::of(given).0).into()))
    }
}

impl Fingerprint {
    fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

/// Members of one entry, in the order of the file.
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// In the order of `MEMBERS`.
fn read_members(entry: usize, members: &Members) -> Result<[Option<&str>; 4], KeysError> {
    let mut texts = [None; 4];
    for (name, text) in &members.0 {
        let place = MEMBERS.iter().position(|known| known == name).ok_or(KeysError::Unknown { entry })?;
        let member = MEMBERS[place];
        if !is_fit(member, text) {
            return Err(KeysError::Text { entry, member });
        }
        if texts[place].replace(text.as_str()).is_some() {
            return Err(KeysError::MemberTwice { entry, member });
        }
    }
    Ok(texts)
}

fn is_fit(member: &str, text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !(member == ID && text.contains(['/', ',']))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: &Value) -> Result<Keys, KeysError> {
        Keys::read(json.to_string().as_bytes())
    }

    #[test]
    fn keys_of_both_kinds_are_read() {
        let keys = read(&json!([
            {"access_key_id": "a", "secret_access_key": "s/+="},
            {"access_key_id": "b", "secret_access_key": "s/+=", "session_token": "t"},
            {"bearer": "x"}, {"bearer": "y"},
        ]));
        let Ok(keys) = keys else { panic!("the file is whole") };
        assert_eq!((keys.n_access_keys(), keys.n_bearers()), (2, 2));
        for (bearer, is_known) in
            [("x", true), ("y", true), ("z", false), ("", false), ("xy", false), ("X", false)]
        {
            assert_eq!(keys.has_bearer(bearer.as_bytes()), is_known, "{bearer}");
        }
        assert!(keys.access_key("c").is_none());
        for (id, token, accepts) in [
            ("a", None, true),
            ("a", Some("any"), true),
            ("b", Some("t"), true),
            ("b", Some("tt"), false),
            ("b", Some(""), false),
            ("b", None, false),
        ] {
            let key = keys.access_key(id).expect("is there");
            assert_eq!(key.accepts(token.map(str::as_bytes)), accepts, "{id} {token:?}");
        }
    }

    #[test]
    fn what_is_not_right_is_named_and_no_secret_is_shown() {
        let key = json!({"access_key_id": "hidden1", "secret_access_key": "hidden2"});
        let with = |name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            json!([key])
        };
        let bearer = |text: &str| json!([{ "bearer": text }]);
        let text = |member| KeysError::Text { entry: 1, member };
        for (file, expected) in [
            (json!([]), KeysError::Empty),
            (json!(vec![&key; KEYS_MAX + 1]), KeysError::TooMany { n_keys: 1_001, limit: 1_000 }),
            (json!([key, {"hidden": "hidden"}]), KeysError::Unknown { entry: 2 }),
            (json!([{}]), KeysError::Members { entry: 1 }),
            (json!([{"access_key_id": "hidden"}]), KeysError::Members { entry: 1 }),
            (json!([{"secret_access_key": "hidden"}]), KeysError::Members { entry: 1 }),
            (json!([{"bearer": "hidden", "session_token": "hidden"}]), KeysError::Members { entry: 1 }),
            (with("bearer", json!("hidden")), KeysError::Members { entry: 1 }),
            (with("secret_access_key", json!("")), text("secret_access_key")),
            (with("access_key_id", json!("")), text("access_key_id")),
            (with("access_key_id", json!("hid/den")), text("access_key_id")),
            (with("access_key_id", json!("hid,den")), text("access_key_id")),
            (with("session_token", json!("hid den")), text("session_token")),
            (bearer(""), text("bearer")),
            (bearer("hiddén"), text("bearer")),
            (bearer(&"h".repeat(TEXT_BYTES_MAX + 1)), text("bearer")),
            (json!([key, key]), KeysError::Twice { entry: 2, member: "access_key_id" }),
            (
                json!([{"bearer": "hidden"}, key, {"bearer": "hidden"}]),
                KeysError::Twice { entry: 3, member: "bearer" },
            ),
        ] {
            let error = read(&file).err().unwrap_or_else(|| panic!("{file} is taken"));
            assert!(!error.to_string().contains("hid"), "{error}");
            assert_eq!(error, expected, "{file}");
        }
    }

    #[test]
    fn what_is_not_such_a_list_is_refused_at_its_place() {
        for (json, line, column) in [
            ("", 1, 0),
            ("{}", 1, 0),
            ("\"hidden\"", 1, 8),
            ("[\"hidden\"]", 1, 9),
            ("[[\"hidden\", \"hidden\"]]", 1, 1),
            ("[{\n\"bearer\": 7}]", 2, 11),
            ("[{\n\"bearer\": null}]", 2, 14),
            ("[{\"bearer\": \"hidden\"}", 1, 21),
            ("[{\"bearer\": \"hidden\"}] x", 1, 24),
        ] {
            let error = Keys::read(json.as_bytes()).err().unwrap_or_else(|| panic!("{json} is taken"));
            assert!(!error.to_string().contains("hidden"), "{error}");
            assert_eq!(error, KeysError::Json { line, column }, "{json}");
        }
        let twice = br#"[{"bearer": "hidden", "bearer": "hidden"}]"#;
        assert_eq!(Keys::read(twice).err(), Some(KeysError::MemberTwice { entry: 1, member: "bearer" }));
    }
}
