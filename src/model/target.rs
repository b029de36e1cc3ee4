//! Which of an endpoint's many models a client asks for: a checked name, and what keeps such a model from answering.
//! A name is a relative path that cannot leave the place it is looked up in. Opens nothing.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Characters of TargetModel in the service model.
const NAME_CHARS_MAX: usize = 1024;

/// Parts between slashes, each with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetName(Arc<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name of a model has at most {NAME_CHARS_MAX} characters")]
    TooLong,
    #[error("a name of a model has no backslashes and no control characters")]
    Character,
    #[error("a name of a model is written without percent escapes")]
    Escape,
    #[error("a name of a model is a relative path without empty parts, '.' and '..'")]
    Part,
}

/// Why a target model does not answer. No text of it says where models are kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TargetError {
    #[error("the request names no target model")]
    Missing,
    #[error("The target model {0} does not exist.")]
    Unknown(TargetName),
    #[error("The target model {0} is still being loaded. Wait and try again.")]
    Loading(TargetName),
    #[error("the target model {name} cannot be used: {reason}")]
    Unfit { name: TargetName, reason: Arc<dyn Error + Send + Sync> },
}

impl TargetName {
    pub fn read(text: &str) -> Result<Self, NameError> {
        if text.chars().count() > NAME_CHARS_MAX {
            return Err(NameError::TooLong);
        }
        if text.contains(|c: char| c == '\\' || c.is_control()) {
            return Err(NameError::Character);
        }
        if has_escape(text) {
            return Err(NameError::Escape);
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(NameError::Part);
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it is below a folder, links aside.
    pub fn below(&self, root: &Path) -> PathBuf {
        root.join(&*self.0)
    }
}

impl Display for TargetName {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What others may decode into a slash or a dot.
fn has_escape(text: &str) -> bool {
    let is_escape = |bytes: &[u8]| bytes[0] == b'%' && bytes[1..].iter().all(u8::is_ascii_hexdigit);
    text.as_bytes().windows(3).any(is_escape)
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_relative_paths_that_stay_below_their_root() {
        for name in
            ["a", "Chicago_IL.tar.gz", "a/b/c.json", "..a", "a..", ".a/...", "50%", "%zz", "a b", "ä", "a:b"]
        {
            let read = TargetName::read(name).expect("is a name");
            assert_eq!((read.as_str(), read.below(Path::new("/r"))), (name, PathBuf::from(format!("/r/{name}"))));
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_below_its_root(text in "[a./%25eE\\\\ é\n\0]{0,12}") {
            let Ok(name) = TargetName::read(&text) else { return Ok(()) };
            let below = name.below(Path::new("/models/root"));
            let parts = below.strip_prefix("/models/root").expect("begins with the root").components();
            let parts: Vec<Component> = parts.collect();
            prop_assert!(!parts.is_empty() && parts.iter().all(|part| matches!(part, Component::Normal(_))), "{text:?}");
        }
    }

    #[test]
    fn names_that_could_lead_elsewhere_are_refused() {
        for (name, expected) in [
            ("", NameError::Part),
            (".", NameError::Part),
            ("..", NameError::Part),
            ("../a", NameError::Part),
            ("a/../../b", NameError::Part),
            ("a/./b", NameError::Part),
            ("a//b", NameError::Part),
            ("a/", NameError::Part),
            ("/etc/passwd", NameError::Part),
            ("..\\a", NameError::Character),
            ("a\0b", NameError::Character),
            ("a\nb", NameError::Character),
            ("a\u{85}b", NameError::Character),
            ("%2e%2e/a", NameError::Escape),
            ("a%2Fb", NameError::Escape),
            ("a%00", NameError::Escape),
        ] {
            assert_eq!(TargetName::read(name), Err(expected), "{name:?}");
        }
        assert!(TargetName::read(&"é".repeat(1024)).is_ok());
        assert_eq!(TargetName::read(&"é".repeat(1025)), Err(NameError::TooLong));
    }
}
