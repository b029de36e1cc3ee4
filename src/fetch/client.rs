//! The HTTP client of all that the server asks of others, here and in model backends: rustls with ring, the system's
//! roots (or SSL_CERT_FILE, SSL_CERT_DIR). It goes where its URL says and nowhere else: no redirects, cookies or proxies.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};

/// How long a client waits for its peer.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the next byte of an answer.
    pub silence: Duration,
}

/// A client for http and https that keeps connections, each belonging to the runtime that opened it.
pub fn client(waits: &Waits) -> Client {
    // Someone else's choice of a provider may stand.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let without_roots = |_| builder(waits).tls_certs_only([]).build();
    // A machine without roots can still speak http; its https fails at the handshake.
    builder(waits).build().or_else(without_roots).expect("settings that always fit. This is a bug.")
}

fn builder(waits: &Waits) -> ClientBuilder {
    Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(waits.connect)
        .read_timeout(waits.silence)
}
