//! `PATTERN=URL` → which running container answers for an Image that is no URL, such as one of a registry.

use super::location::base_url;
use crate::config::{Kernel, fits};
use crate::shap::Method;

/// What a definition is read with, where it says nothing itself.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub method: Method,
    pub containers: ContainerMap,
}

impl From<Kernel> for Defaults {
    fn from(kernel: Kernel) -> Self {
        Self { method: kernel.into(), containers: ContainerMap::default() }
    }
}

/// Patterns of Images, in which a `*` stands for any text, and the base URL of the container for each.
#[derive(Clone, Debug, Default)]
pub struct ContainerMap(Vec<(String, String)>);

#[derive(Debug, thiserror::Error)]
pub enum ContainerMapError {
    #[error("--container-map {0:?}: must be PATTERN=URL, as '*/xgboost:*=http://127.0.0.1:8080'")]
    NoPair(String),
    #[error("--container-map {0:?}: the URL must be http or https, a host and at most a port")]
    Url(String),
}

impl ContainerMap {
    pub fn read(pairs: &[String]) -> Result<Self, ContainerMapError> {
        pairs.iter().map(|pair| read_pair(pair)).collect::<Result<_, _>>().map(Self)
    }

    /// Base URLs of all containers.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, url)| url.as_str())
    }

    /// The first pattern that fits wins.
    pub(super) fn url(&self, image: &str) -> Option<String> {
        self.0.iter().find(|(pattern, _)| fits(pattern, image)).map(|(_, url)| url.clone())
    }
}

fn read_pair(pair: &str) -> Result<(String, String), ContainerMapError> {
    let parts = pair.split_once('=').filter(|(pattern, _)| !pattern.is_empty());
    let (pattern, url) = parts.ok_or_else(|| ContainerMapError::NoPair(pair.to_owned()))?;
    // What is no URL may hold a password.
    let url = base_url(url).ok_or_else(|| ContainerMapError::Url(pattern.to_owned()))?;
    Ok((pattern.to_owned(), url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_that_fits_wins() {
        let pairs = ["*:1=http://one/", "x*=HTTP://two:8080"].map(str::to_owned);
        let map = ContainerMap::read(&pairs).expect("are pairs");
        for (image, url) in [("x:1", Some("http://one")), ("x:2", Some("http://two:8080")), ("y", None)] {
            assert_eq!(map.url(image).as_deref(), url);
        }
    }

    #[test]
    fn what_is_no_pair_is_refused_without_passwords() {
        for (pair, part) in [("x", "PATTERN=URL"), ("=http://a", "PATTERN=URL"), ("x=http://u:secret@a", "\"x\"")]
        {
            let text = ContainerMap::read(&[pair.to_owned()]).expect_err(pair).to_string();
            assert!(text.contains(part) && !text.contains("secret"), "{text}");
        }
    }
}
