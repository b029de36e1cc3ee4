//! A plain HTTP client that keeps its connections: it posts bodies and takes whole answers, and knows nothing else.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, header};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use super::recorder::Invocation;

#[derive(Clone)]
pub struct Plain {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Plain {
    /// Everything goes to this URL.
    pub fn to(url: String) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), url }
    }

    pub async fn invoke(&self, invocation: &Invocation) -> Bytes {
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, &invocation.content_type)
            .header(header::ACCEPT, "text/csv")
            .body(Full::new(invocation.body.clone()))
            .expect("is a request");
        let (head, body) = self.client.request(request).await.expect("answers").into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        assert!(head.status.is_success(), "{}: {}", head.status, String::from_utf8_lossy(&body));
        body
    }
}
