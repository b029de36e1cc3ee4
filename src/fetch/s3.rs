//! An S3 object → a URL signed for its download, under the region, endpoint and credentials of the AWS variables.
//! Nothing of the object is read here.

use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ClientOptions, RetryConfig};
use reqwest::{Client, Method, Url};

use super::client::{Waits, client};
use super::error::Reason;
use super::reach::Resolver;
use super::{DOWNLOAD_S_MAX, Variables};

/// The first one that is set is where S3 is, with the bucket as the first part of the path.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
/// The first one that is set names the region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const REGION: &str = "us-east-1";
/// All variables besides the endpoint that have a say.
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

/// Where a bucket is, and who asks for its objects.
pub(super) struct Bucket {
    builder: AmazonS3Builder,
    url: Url,
}

impl Bucket {
    pub(super) fn find(name: &str, variables: &Variables) -> Result<Self, Reason> {
        let own = endpoint(variables);
        // A certificate for *.s3 covers no bucket with a dot in its name.
        let is_in_host = own.is_none() && !name.contains('.');
        let (address, unusable) = match own {
            Some((variable, endpoint)) => (endpoint.clone(), Reason::S3Endpoint { variable }),
            None => (regional(is_in_host.then_some(name), variables), Reason::Region),
        };
        let url = http_url(&address).ok_or(unusable)?;
        let builder = settings(variables).with_bucket_name(name);
        let builder = builder.with_endpoint(address).with_virtual_hosted_style_request(is_in_host);
        Ok(Self { builder, url })
    }

    /// Where requests for its objects go.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) async fn signed_url(self, key: &str) -> Result<Url, Reason> {
        let key = Path::parse(key).ok().filter(|path| path.as_ref() == key).ok_or(Reason::NotAnObject)?;
        let retries = RetryConfig { max_retries: CREDENTIAL_RETRIES_MAX, ..RetryConfig::default() };
        // Where credentials come from is the process's affair, whoever names the object.
        let connector = Connector(client(&CREDENTIAL_WAITS, &Resolver::default()));
        let builder = self.builder.with_retry(retries).with_http_connector(connector);
        // The store's own words may hold what a credential service answered.
        let store = builder.build().map_err(|_| Reason::Credentials)?;
        let expires_in = Duration::from_secs(DOWNLOAD_S_MAX);
        store.signed_url(Method::GET, &key, expires_in).await.map_err(|_| Reason::Credentials)
    }
}

fn settings(variables: &Variables) -> AmazonS3Builder {
    SETTINGS.iter().fold(AmazonS3Builder::new(), |builder, setting| match given(setting, variables) {
        Some(value) => {
            let key = setting.to_ascii_lowercase().parse().expect("a setting of this store. This is a bug.");
            builder.with_config(key, value)
        }
        None => builder,
    })
}

fn given<'a>(name: &str, variables: &'a Variables) -> Option<&'a String> {
    variables.get(name).filter(|value| !value.is_empty())
}

fn endpoint(variables: &Variables) -> Option<(&'static str, &String)> {
    ENDPOINTS.iter().find_map(|&name| Some((name, given(name, variables)?)))
}

/// AWS's own, with the bucket in its host or none.
fn regional(bucket: Option<&str>, variables: &Variables) -> String {
    let region = REGIONS.iter().find_map(|&name| given(name, variables)).map_or(REGION, String::as_str);
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let bucket = bucket.map_or_else(String::new, |bucket| format!("{bucket}."));
    format!("https://{bucket}s3.{region}.{domain}")
}

fn http_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()))
}

/// Gives the store our client, with our rules, for its questions about credentials.
#[derive(Debug)]
struct Connector(Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}
