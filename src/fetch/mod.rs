//! Bytes from where an operator's definition says (files, `s3:`, `https:`), under limits of size and time. It must not
//! know what they mean. An `s3:` object becomes a signed URL, so that both kinds of download are held to the same limits.
//! Errors show no secret: signed URLs and credentials stay inside.

mod client;
mod error;
mod file;
mod http;
mod location;
mod s3;

use std::path::Path;
use std::time::Duration;

use reqwest::Url;

pub use client::connector;
use client::{Waits, client};
pub use error::FetchError;
use error::Reason;
use location::Location;

use crate::offload::offload;

/// One download with its retries, credentials and all.
const DOWNLOAD_S_MAX: u64 = 300;
const WAITS: Waits = Waits { connect: Duration::from_secs(5), silence: Duration::from_secs(20) };

/// Everything at `location`, if that is at most `bytes_max` bytes: `s3://BUCKET/KEY` (region, endpoint and credentials
/// from the process's AWS variables), `https://...`, `file:PATH` or a path.
pub async fn fetch(location: &str, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
    fetch_as(location, aws_variables(), &Limits { bytes_max, total_s: DOWNLOAD_S_MAX, waits: WAITS }).await
}

/// The whole file, if it has at most `bytes_max` bytes.
pub fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
    file::read(path, bytes_max).map_err(|reason| FetchError::new(path.display().to_string(), reason))
}

struct Limits {
    bytes_max: u64,
    total_s: u64,
    waits: Waits,
}

async fn fetch_as(
    location: &str,
    variables: impl Iterator<Item = (String, String)>,
    limits: &Limits,
) -> Result<Vec<u8>, FetchError> {
    let in_location = |reason| FetchError::new(location::shown(location), reason);
    match Location::read(location).map_err(in_location)? {
        Location::File(path) => {
            let (path, bytes_max) = (path.to_owned(), limits.bytes_max);
            offload(move |_| read_file(&path, bytes_max)).await
        }
        Location::S3 { bucket, key } => {
            let url = s3::signed_url(bucket, key, variables);
            download(url, limits).await.map_err(in_location)
        }
        Location::Https(url) => download(std::future::ready(Ok(url)), limits).await.map_err(in_location),
    }
}

async fn download(url: impl Future<Output = Result<Url, Reason>>, limits: &Limits) -> Result<Vec<u8>, Reason> {
    let download = async { http::get(&client(&limits.waits), url.await?, limits.bytes_max).await };
    let late = |_| Reason::Late { limit_s: limits.total_s };
    tokio::time::timeout(Duration::from_secs(limits.total_s), download).await.map_err(late)?
}

/// Variables that are not text are none of those read here.
fn aws_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests;
