//! Bytes from where an operator's definition says (files, `s3:`, `https:`), under limits of size and time. It must not
//! know what they mean. An `s3:` object becomes a signed URL, so that both kinds of download are held to the same limits.
//! Errors show no secret: signed URLs and credentials stay inside.

mod client;
mod error;
mod file;
mod http;
mod location;
mod reach;
mod s3;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;

pub use client::{Connector, connector};
use client::{Waits, client};
pub use error::FetchError;
use error::Reason;
use location::Location;
pub use location::shown;
pub use reach::{Reach, ReachError, ReachSettingError, Resolver, THIS_MACHINE};

use crate::offload::offload;

/// One download with its retries, credentials and all.
const DOWNLOAD_S_MAX: u64 = 300;
const WAITS: Waits = Waits { connect: Duration::from_secs(5), silence: Duration::from_secs(20) };

/// Everything at `location`, if that is within reach and at most `bytes_max` bytes: `s3://BUCKET/KEY` (region, endpoint
/// and credentials from the process's AWS variables), `https://...`, `file:PATH` or a path.
pub async fn fetch(location: &str, bytes_max: u64, reach: &Reach) -> Result<Vec<u8>, FetchError> {
    fetch_as(location, aws_variables(), &Limits { bytes_max, total_s: DOWNLOAD_S_MAX, waits: WAITS }, reach).await
}

/// The same for a local file.
pub async fn fetch_file(path: &Path, bytes_max: u64, reach: &Reach) -> Result<Vec<u8>, FetchError> {
    let shown = || path.display().to_string();
    read_within(path, bytes_max, reach).await.map_err(|reason| FetchError::new(shown(), reason))
}

async fn read_within(path: &Path, bytes_max: u64, reach: &Reach) -> Result<Vec<u8>, Reason> {
    let (path, reach) = (path.to_owned(), reach.clone());
    offload(move |_| file::read(&reach.file(&path)?, bytes_max)).await
}

/// Whether `folder`, which ends with a slash and which somebody else will read from, is within reach.
pub fn check_folder(folder: &str, reach: &Reach) -> Result<(), FetchError> {
    check_folder_as(folder, aws_variables(), reach).map_err(|reason| FetchError::new(shown(folder), reason))
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
    variables: Variables,
    limits: &Limits,
    reach: &Reach,
) -> Result<Vec<u8>, FetchError> {
    let in_location = |reason| FetchError::new(shown(location), reason);
    match Location::read(location).map_err(in_location)? {
        Location::File(path) => read_within(path, limits.bytes_max, reach).await.map_err(in_location),
        Location::S3 { bucket, key } => {
            let url = async {
                let bucket = s3::Bucket::find(bucket, &variables)?;
                reach.host(bucket.url())?;
                bucket.signed_url(key).await
            };
            download(url, limits, reach).await.map_err(in_location)
        }
        Location::Https(url) => download(std::future::ready(Ok(url)), limits, reach).await.map_err(in_location),
    }
}

fn check_folder_as(folder: &str, variables: Variables, reach: &Reach) -> Result<(), Reason> {
    if reach.is_everywhere() {
        return Ok(());
    }
    match Location::read(&format!("{folder}model"))? {
        Location::File(_) if folder.is_empty() => {}
        Location::File(path) => reach.foreign_folder(path.parent().unwrap_or(path))?,
        Location::S3 { bucket, .. } => drop(reach.host(s3::Bucket::find(bucket, &variables)?.url())?),
        Location::Https(url) => drop(reach.host(&url)?),
    }
    Ok(())
}

async fn download(
    url: impl Future<Output = Result<Url, Reason>>,
    limits: &Limits,
    reach: &Reach,
) -> Result<Vec<u8>, Reason> {
    let download = async {
        let url = url.await?;
        http::get(&client(&limits.waits, &reach.host(&url)?), url, limits.bytes_max).await
    };
    let late = |_| Reason::Late { limit_s: limits.total_s };
    tokio::time::timeout(Duration::from_secs(limits.total_s), download).await.map_err(late)?
}

/// Of the process; the empty ones say nothing.
type Variables = HashMap<String, String>;

/// Variables that are not text are none of those read here.
fn aws_variables() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests;
