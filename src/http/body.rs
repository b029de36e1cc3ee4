//! Reads a request body under limits of size and time.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::aws::error::InvokeError;

/// A refused body is still read to this size before the answer, so that clients that send first and read later
/// see the answer instead of a broken connection.
const DRAINED_BYTES_MAX: usize = 64 << 20;
const DRAIN_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn read(body: Body, bytes_max: usize, time_max: Duration) -> Result<Bytes, InvokeError> {
    let too_slow = |_| InvokeError::BodyTooSlow { waited_ms: time_max.as_millis() as u64 };
    timeout(time_max, collect(body, bytes_max)).await.map_err(too_slow)?
}

async fn collect(body: Body, bytes_max: usize) -> Result<Bytes, InvokeError> {
    let announced = body.size_hint().exact();
    let mut stream = body.into_data_stream();
    let mut collected = BytesMut::new();
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        drain(stream).await;
        return Err(InvokeError::BodyTooLarge { limit: bytes_max });
    }
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| InvokeError::BodyBroken)?;
        if collected.len() + chunk.len() > bytes_max {
            drain(stream).await;
            return Err(InvokeError::BodyTooLarge { limit: bytes_max });
        }
        collected.extend_from_slice(&chunk);
    }
    Ok(collected.freeze())
}

async fn drain(mut stream: BodyDataStream) {
    let mut bytes_left = DRAINED_BYTES_MAX;
    let read_on = async {
        while let Some(Ok(chunk)) = stream.next().await {
            bytes_left = bytes_left.saturating_sub(chunk.len());
            if bytes_left == 0 {
                break;
            }
        }
    };
    // Whether or not the client finished, it is answered now.
    let _ = timeout(DRAIN_WAIT, read_on).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn chunked(chunks: &[&'static str]) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|&chunk| Ok::<_, std::io::Error>(chunk)).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn the_limit_holds_for_announced_and_for_chunked_bodies() {
        let second = Duration::from_secs(1);
        assert_eq!(read(Body::from("1,2"), 3, second).await.expect("fits"), "1,2");
        assert_eq!(read(chunked(&["1,", "2"]), 3, second).await.expect("fits"), "1,2");
        for body in [Body::from("1,23"), chunked(&["1,", "2", "3"])] {
            assert!(matches!(read(body, 3, second).await, Err(InvokeError::BodyTooLarge { limit: 3 })));
        }
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let outcome = read(endless, 3, Duration::from_millis(10)).await;
        assert!(matches!(outcome, Err(InvokeError::BodyTooSlow { waited_ms: 10 })));
    }
}
