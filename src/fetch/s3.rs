//! An S3 object → a URL signed for its download, under the region, endpoint and credentials of the AWS variables.
//! Nothing of the object is read here.

use std::collections::HashMap;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ClientOptions, RetryConfig};
use reqwest::{Client, Method, Url};

use super::DOWNLOAD_S_MAX;
use super::client::{Waits, client};
use super::error::Reason;

/// The first one that is set is where S3 is, with the bucket as the first part of the path.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
/// The other variables that have a say.
const SETTINGS: [&str; 12] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Services that give credentials are near; where there are none, nothing answers at their address.
const CREDENTIAL_WAITS: Waits = Waits { connect: Duration::from_secs(2), silence: Duration::from_secs(10) };
const CREDENTIAL_RETRIES_MAX: usize = 1;

pub(super) async fn signed_url(
    bucket: &str,
    key: &str,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Url, Reason> {
    let key = Path::parse(key).ok().filter(|path| path.as_ref() == key).ok_or(Reason::NotAnObject)?;
    let builder = located(bucket, &variables.filter(|(_, value)| !value.is_empty()).collect())?;
    let retries = RetryConfig { max_retries: CREDENTIAL_RETRIES_MAX, ..RetryConfig::default() };
    let builder = builder.with_retry(retries).with_http_connector(Connector(client(&CREDENTIAL_WAITS)));
    // The store's own words may hold what a credential service answered.
    let store = builder.build().map_err(|_| Reason::Credentials)?;
    store.signed_url(Method::GET, &key, Duration::from_secs(DOWNLOAD_S_MAX)).await.map_err(|_| Reason::Credentials)
}

fn located(bucket: &str, variables: &HashMap<String, String>) -> Result<AmazonS3Builder, Reason> {
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
    for name in SETTINGS {
        if let Some(value) = variables.get(name) {
            let key = name.to_ascii_lowercase().parse().expect("a setting of this store. This is a bug.");
            builder = builder.with_config(key, value);
        }
    }
    match ENDPOINTS.iter().find_map(|&name| Some((name, variables.get(name)?))) {
        Some((_, endpoint)) if is_http(endpoint) => Ok(builder.with_endpoint(endpoint)),
        Some((variable, _)) => Err(Reason::S3Endpoint { variable }),
        // A certificate for *.s3 covers no bucket with a dot in its name.
        None => Ok(builder.with_virtual_hosted_style_request(!bucket.contains('.'))),
    }
}

fn is_http(endpoint: &str) -> bool {
    Url::parse(endpoint).is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
}

/// Gives the store our client, with our rules, for its questions about credentials.
#[derive(Debug)]
struct Connector(Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}
