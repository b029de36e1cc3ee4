//! What connects to others, for downloads here and for model backends: rustls with ring, the system's roots (or
//! SSL_CERT_FILE, SSL_CERT_DIR). It goes where its URL says and nowhere else: no redirects, cookies or proxies.

use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Client, ClientBuilder, redirect};
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};

use super::reach::Resolver;

/// How long a client waits for its peer.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the next byte of an answer.
    pub silence: Duration,
}

/// A client for http and https that keeps connections, each belonging to the runtime that opened it.
pub fn client(waits: &Waits, resolver: &Resolver) -> Client {
    // Someone else's choice of a provider may stand.
    let _ = default_provider().install_default();
    let without_roots = |_| builder(waits, resolver).tls_certs_only([]).build();
    // A machine without roots can still speak http; its https fails at the handshake.
    builder(waits, resolver).build().or_else(without_roots).expect("settings that always fit. This is a bug.")
}

fn builder(waits: &Waits, resolver: &Resolver) -> ClientBuilder {
    Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(Arc::new(resolver.clone()))
        .connect_timeout(waits.connect)
        .read_timeout(waits.silence)
}

pub type Connector = HttpsConnector<HttpConnector<Resolver>>;

/// What opens connections, http and https, for a client that sends no header but those it is given.
pub fn connector(connect: Duration, resolver: Resolver) -> Connector {
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.enforce_http(false);
    http.set_connect_timeout(Some(connect));
    http.set_nodelay(true);
    let provider = Arc::new(default_provider());
    let builder = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(Arc::clone(&provider));
    let without_roots = |_| HttpsConnectorBuilder::new().with_tls_config(tls_without_roots(provider));
    builder.unwrap_or_else(without_roots).https_or_http().enable_http1().wrap_connector(http)
}

fn tls_without_roots(provider: Arc<rustls::crypto::CryptoProvider>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("ring knows the default protocol versions. This is a bug.");
    builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
}
