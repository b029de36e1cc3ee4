//! A URL → the body of its answer, under a limit of size and with a few retries.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::sleep;

use super::error::Reason;

const ATTEMPTS_MAX: u32 = 3;
/// Before the second attempt; twice that before the third.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// Of a refusal, where its code may be found.
const REFUSAL_BYTES_MAX: usize = 4096;
const CODE_CHARS_MAX: usize = 64;

pub(super) async fn get(client: &Client, url: Url, bytes_max: u64) -> Result<Vec<u8>, Reason> {
    for attempt in 0..ATTEMPTS_MAX - 1 {
        match attempt_get(client, url.clone(), bytes_max).await {
            Err(reason) if reason.is_passing() => sleep(RETRY_PAUSE * 2_u32.pow(attempt)).await,
            outcome => return outcome,
        }
    }
    attempt_get(client, url, bytes_max).await
}

async fn attempt_get(client: &Client, url: Url, bytes_max: u64) -> Result<Vec<u8>, Reason> {
    let mut response = client.get(url).send().await?;
    if response.status() != StatusCode::OK {
        return Err(refusal(response).await);
    }
    let fits = |n_bytes: u64| if n_bytes <= bytes_max { Ok(()) } else { Err(Reason::TooLarge { bytes_max }) };
    fits(response.content_length().unwrap_or(0))?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        fits((bytes.len() + chunk.len()) as u64)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// S3 says in its body why it refuses. A body that cannot be read says nothing more.
async fn refusal(mut response: Response) -> Reason {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(REFUSAL_BYTES_MAX - body.len())]);
        if body.len() == REFUSAL_BYTES_MAX {
            break;
        }
    }
    Reason::Status { status: response.status(), code: s3_code(&String::from_utf8_lossy(&body)) }
}

/// Only what looks like a code: an error text may hold what was sent.
fn s3_code(body: &str) -> Option<String> {
    let (code, _) = body.split_once("<Code>")?.1.split_once("</Code>")?;
    let is_code = code.len() <= CODE_CHARS_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| code.to_owned())
}
