//! Reads a request body under limits of size and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::aws::error::InvokeError;
use crate::config::ServerConfig;

/// A refused body is still read to this size before the answer, so that clients that send first and read later
/// see the answer instead of a broken connection.
const DRAINED_BYTES_MAX: usize = 64 << 20;
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// Bytes of all bodies held at the same time are counted in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// What bodies may cost: one of them, all of them together, and time.
pub(super) struct Bodies {
    bytes_max: usize,
    time_max: Duration,
    pieces: Arc<Semaphore>,
}

/// A whole body. Dropping it gives its memory back to the others.
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    _pieces: OwnedSemaphorePermit,
}

impl Bodies {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let n_pieces = (config.bodies_mib_max << 20).div_ceil(PIECE_BYTES);
        Self {
            bytes_max: config.body_bytes_max,
            time_max: Duration::from_millis(config.body_timeout_ms),
            pieces: Arc::new(Semaphore::new(n_pieces)),
        }
    }

    pub(super) async fn read(&self, body: Body) -> Result<Payload, InvokeError> {
        let announced = body.size_hint().exact().unwrap_or(0);
        let mut stream = body.into_data_stream();
        let collected = match announced > self.bytes_max as u64 {
            true => Err(InvokeError::BodyTooLarge { limit: self.bytes_max }),
            false => timeout(self.time_max, self.collect(&mut stream))
                .await
                .unwrap_or(Err(InvokeError::BodyTooSlow { waited_ms: self.time_max.as_millis() as u64 })),
        };
        if matches!(collected, Err(InvokeError::BodyTooLarge { .. } | InvokeError::BodiesTooLarge)) {
            drain(stream).await;
        }
        collected
    }

    async fn collect(&self, stream: &mut BodyDataStream) -> Result<Payload, InvokeError> {
        let mut bytes = BytesMut::new();
        let mut pieces = self.pieces(1)?;
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|_| InvokeError::BodyBroken)?);
            if bytes.len() > self.bytes_max {
                return Err(InvokeError::BodyTooLarge { limit: self.bytes_max });
            }
            let n_missing = bytes.len().div_ceil(PIECE_BYTES).saturating_sub(pieces.num_permits());
            pieces.merge(self.pieces(n_missing)?);
        }
        Ok(Payload { bytes: bytes.freeze(), _pieces: pieces })
    }

    fn pieces(&self, n: usize) -> Result<OwnedSemaphorePermit, InvokeError> {
        let pieces = Arc::clone(&self.pieces);
        pieces.try_acquire_many_owned(n as u32).map_err(|_| InvokeError::BodiesTooLarge)
    }
}

/// Reads on without keeping anything, for a while.
pub(super) async fn drain(mut stream: BodyDataStream) {
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

    fn bodies(bytes_max: usize, bodies_mib_max: usize, time_max: Duration) -> Bodies {
        let pieces = Arc::new(Semaphore::new((bodies_mib_max << 20) / PIECE_BYTES));
        Bodies { bytes_max, time_max, pieces }
    }

    #[tokio::test]
    async fn the_limit_holds_for_announced_and_for_chunked_bodies() {
        let bodies = bodies(3, 1, Duration::from_secs(1));
        assert_eq!(bodies.read(Body::from("1,2")).await.expect("fits").bytes, "1,2");
        assert_eq!(bodies.read(chunked(&["1,", "2"])).await.expect("fits").bytes, "1,2");
        for body in [Body::from("1,23"), chunked(&["1,", "2", "3"])] {
            assert!(matches!(bodies.read(body).await, Err(InvokeError::BodyTooLarge { limit: 3 })));
        }
    }

    #[tokio::test]
    async fn all_bodies_together_stay_within_their_memory_and_give_it_back() {
        let bodies = bodies(1 << 20, 1, Duration::from_secs(1));
        let body = || Body::from(vec![b'1'; 600 << 10]);
        let first = bodies.read(body()).await.expect("fits");
        assert!(matches!(bodies.read(body()).await, Err(InvokeError::BodiesTooLarge)));
        drop(first);
        assert!(bodies.read(body()).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let outcome = bodies(3, 1, Duration::from_millis(10)).read(endless).await;
        assert!(matches!(outcome, Err(InvokeError::BodyTooSlow { waited_ms: 10 })));
    }
}
