//! The accept loop: timeouts for headers and idle connections, a limit of connections, and the drain at the end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use super::{App, routes};

/// Request line and headers, in bytes.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// After a failed accept (out of file descriptors, say) the loop rests, so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, then for the grace that it gives while /ping already answers 503, then lets running
/// requests finish for at most `drain_ms`. True when all did.
pub async fn serve(listener: TcpListener, app: Arc<App>, shutdown: impl Future<Output = Duration>) -> bool {
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(app.config.connections_max));
    let mut close = std::pin::pin!(async {
        let grace = shutdown.await;
        app.draining.store(true, Ordering::Relaxed);
        tokio::time::sleep(grace).await;
    });
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.expect("never closed. This is a bug."),
            () = &mut close => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut close => break,
        };
        match stream {
            Ok((stream, _)) => {
                let connection = connections.watch(connection(stream, &app));
                tokio::spawn(async move {
                    // A broken connection is the client's affair; its request has been dropped.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    app.closed.store(true, Ordering::Relaxed);
    drop(listener);
    tokio::time::timeout(Duration::from_millis(app.config.drain_ms), connections.shutdown()).await.is_ok()
}

type Stream = TokioIo<Pin<Box<TimeoutStream<TcpStream>>>>;

fn connection(stream: TcpStream, app: &Arc<App>) -> http1::Connection<Stream, TowerToHyperService<axum::Router>> {
    // Answers are written whole; waiting for more bytes would only delay them.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_millis(app.config.write_timeout_ms)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(app.config.header_timeout_ms))
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(routes(Arc::clone(app))))
}
