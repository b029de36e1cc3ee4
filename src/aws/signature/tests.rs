//! Published examples, each refusal, and what must hold for any request: nothing that is signed can be changed.

use proptest::prelude::*;

use super::*;

/// The key of AWS's published examples.
const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DAY: &str = "20150830";
const TIME: &str = "20150830T123600Z";
const NOW: i64 = 1_440_938_160;

#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    query: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    fn new(method: &str, path: &str, query: &str, fields: &[(&str, &str)], body: &str) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let [method, path, query] = [method, path, query].map(str::to_owned);
        Self { method, path, query, fields, body: body.into() }
    }

    fn invocation() -> Self {
        let fields = [
            ("host", "127.0.0.1:8700"),
            ("content-type", "text/csv"),
            ("x-amz-date", TIME),
            ("x-amzn-sagemaker-target-model", "a  b"),
        ];
        Self::new("POST", "/endpoints/wine/invocations", "", &fields, "1,2,3")
    }

    fn head(&self) -> Head<'_> {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        Head { method: &self.method, path: &self.path, query: &self.query, fields }
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(given, _)| given != name);
        self
    }

    fn replacing(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    fn signature(&self, time: &str, region: &str, service: &str) -> String {
        let canonical = canonical::head(&self.head(), &self.names()).expect("all are there");
        let hash = Sha256::new().chain_update(canonical).chain_update(hex(&Sha256::digest(&self.body)));
        let day = &time[..8];
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{SECRET}").as_bytes());
        let to_sign =
            format!("{ALGORITHM}\n{time}\n{day}/{region}/{service}/{TERMINATOR}\n{}", hex(&hash.finalize()));
        hex(hmac::sign(&signing_key(&key, day, region, service), to_sign.as_bytes()).as_ref())
    }

    fn signed(self) -> Self {
        let (names, signature) = (self.names().join(";"), self.signature(TIME, "eu-west-9", SERVICE));
        let scope = format!("{ID}/{DAY}/eu-west-9/{SERVICE}/{TERMINATOR}");
        let text = format!("{ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}");
        self.with("authorization", &text)
    }

    fn stating(&self, from: &str, to: &str) -> Self {
        let head = self.head();
        let text = head.only("authorization").ok().flatten().expect("is signed");
        let text = String::from_utf8(text.to_vec()).expect("is ASCII").replacen(from, to, 1);
        self.clone().replacing("authorization", &text)
    }

    fn outcome_at(&self, now: i64) -> Result<(), AccessError> {
        match identify(&keys(None), &self.head(), Moment::read("19700101T000000Z").expect("is a date").plus(now))?
        {
            Caller::Known => Ok(()),
            Caller::Claimed(claim) => claim.verify(&self.body),
        }
    }

    fn outcome(&self) -> Result<(), AccessError> {
        self.outcome_at(NOW)
    }
}

fn keys(token: Option<&str>) -> Keys {
    let mut key = serde_json::json!({"access_key_id": ID, "secret_access_key": SECRET});
    if let Some(token) = token {
        key["session_token"] = token.into();
    }
    let file = serde_json::json!([key, {"bearer": "letmein"}]).to_string();
    Keys::read(file.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn published_examples_have_their_published_signatures() {
    let plain = [("host", "example.amazonaws.com"), ("x-amz-date", TIME)];
    let form = [
        ("host", "iam.amazonaws.com"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("x-amz-date", TIME),
    ];
    let get = |query| Request::new("GET", "/", query, &plain, "");
    for (request, service, signature) in [
        (get(""), "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            get("Param2=value2&Param1=value1"),
            "service",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            Request::new("POST", "/", "", &plain, ""),
            "service",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            Request::new("GET", "/", "Action=ListUsers&Version=2010-05-08", &form, ""),
            "iam",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ] {
        assert_eq!(request.signature(TIME, "us-east-1", service), signature, "{request:?}");
    }
}

#[test]
fn what_the_key_has_signed_is_let_in_and_with_a_blank_more_too() {
    let signed = Request::invocation().signed();
    signed.outcome().expect("is right");
    for (from, to) in [("a  b", "a b"), ("a  b", " a\tb ")] {
        let mut spaced = signed.clone();
        let value = spaced.fields.iter_mut().find(|(_, value)| value == from.as_bytes()).expect("is there");
        value.1 = to.into();
        spaced.outcome().expect("blanks do not count");
    }
    Request::invocation().with("accept", "a").with("accept", "b").signed().outcome().expect("values are joined");
    signed.with("user-agent", "x").outcome().expect("not all headers need be signed");
    let hash = hex(&Sha256::digest(b"1,2,3"));
    Request::invocation().with("x-amz-content-sha256", &hash).signed().outcome().expect("the hash is right");
}

#[test]
fn the_date_may_stand_in_either_header() {
    for date in ["Sun, 30 Aug 2015 12:36:00 GMT", "Sun, 30 Aug 2015 12:36:00 -0000", TIME] {
        let request = Request::invocation().without("x-amz-date").with("date", date);
        request.clone().signed().outcome().expect("is right");
        let unsigned = request.without("date").signed().with("date", date);
        assert!(matches!(unsigned.outcome(), Err(AccessError::Unsigned(name)) if name == "date"));
    }
    // Who gives both signs by the first, and a proxy may write the second.
    Request::invocation().signed().with("date", "Mon, 31 Aug 2015 12:36:00 GMT").outcome().expect("is right");
}

#[test]
fn clocks_may_be_off_by_fifteen_minutes() {
    let signed = Request::invocation().signed();
    for late in [-900, 0, 900] {
        signed.outcome_at(NOW + late).expect("is near enough");
    }
    for (late, told) in [
        (
            901,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)",
        ),
        (
            -901,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
             (20150830T122059Z + 15 min.)",
        ),
    ] {
        let error = signed.outcome_at(NOW + late).expect_err("is too far off");
        assert_eq!((error.to_string().as_str(), error.code()), (told, "InvalidSignatureException"));
    }
}

#[test]
fn each_refusal_has_aws_type_and_sentence() {
    let plain = Request::invocation();
    let signed = plain.clone().signed();
    let incomplete = "IncompleteSignatureException";
    let invalid = "InvalidSignatureException";
    let mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS \
        Secret Access Key and signing method. Consult the service documentation for details.";
    let unsigned = |name: &str| format!("{name} must be a 'SignedHeader' in the AWS Authorization.");
    let date = "Date must be in ISO-8601 'basic format'. Got '2015-08-30'.";
    let mut presigned = signed.clone();
    presigned.query = "a=b&X-Amz-Signature=00".to_owned();
    let mut moved = signed.clone();
    moved.path = "/endpoints/wines/invocations".to_owned();
    for (request, code, told) in [
        (plain.clone(), "MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()),
        (
            signed.clone().with("authorization", "x"),
            incomplete,
            "The Authorization header is given twice.".to_owned(),
        ),
        (
            presigned,
            incomplete,
            "Signatures in the query are not supported; send the signature in the Authorization header."
                .to_owned(),
        ),
        (
            signed.clone().without("x-amz-date"),
            incomplete,
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
        ),
        (signed.clone().replacing("x-amz-date", "2015-08-30"), incomplete, date.to_owned()),
        (
            signed.stating("aws4_request", "aws5"),
            invalid,
            "Credential should be scoped with a valid terminator: 'aws4_request'.".to_owned(),
        ),
        (
            signed.stating(SERVICE, "s3"),
            invalid,
            "Credential should be scoped to correct service: 'sagemaker'. ".to_owned(),
        ),
        (
            signed.stating(DAY, "20150831"),
            invalid,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '20150831' != '20150830', from '20150830T123600Z'."
                .to_owned(),
        ),
        (signed.stating("host;", ""), invalid, unsigned("'Host' or ':authority'")),
        (signed.stating("x-amz-date;", ""), invalid, unsigned("'x-amz-date'")),
        (signed.stating("content-type;", ""), invalid, unsigned("'content-type'")),
        (signed.clone().with("x-amz-security-token", "t"), invalid, unsigned("'x-amz-security-token'")),
        (
            signed.clone().with("x-amzn-sagemaker-inference-id", "t"),
            invalid,
            unsigned("'x-amzn-sagemaker-inference-id'"),
        ),
        (
            signed.stating(ID, "ANOTHER"),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.".to_owned(),
        ),
        (signed.stating("eu-west-9", "eu-west-8"), invalid, mismatch.to_owned()),
        (
            signed.stating(";host", ";a;host"),
            incomplete,
            "The Authorization header must name the signed headers in lower case and in order, each once."
                .to_owned(),
        ),
        (signed.stating("content-type;", "content-type;expect;"), invalid, mismatch.to_owned()),
        (moved, invalid, mismatch.to_owned()),
        (
            plain.with("x-amz-content-sha256", "UNSIGNED-PAYLOAD").signed(),
            invalid,
            "The provided 'x-amz-content-sha256' header does not match what was computed.".to_owned(),
        ),
    ] {
        let error = request.outcome().expect_err(&told);
        assert_eq!((error.code(), error.to_string()), (code, told), "{request:?}");
    }
}

#[test]
fn bearer_keys_are_let_in_and_others_are_not() {
    let bearing = |text: &str| Request::invocation().with("authorization", text).outcome();
    bearing("Bearer letmein").expect("is a key");
    for text in ["Bearer letmei", "Bearer letmeinn", "Bearer LETMEIN", "Bearer  ", "Bearer wJalrXUtnFEMI"] {
        let error = bearing(text).expect_err(text);
        assert!(matches!(error, AccessError::Bearer), "{text}: {error}");
        assert_eq!(error.code(), "AccessDeniedException");
    }
}

#[test]
fn a_session_token_must_be_that_of_its_key() {
    for (token, is_right) in [(None, false), (Some("token"), true), (Some("tokens"), false), (Some(""), false)] {
        let request = Request::invocation();
        let request = match token {
            Some(token) => request.with("x-amz-security-token", token),
            None => request,
        };
        let request = request.signed();
        let now = Moment::read(TIME).expect("is a date");
        match identify(&keys(Some("token")), &request.head(), now) {
            Ok(Caller::Claimed(claim)) if is_right => claim.verify(&request.body).expect("is right"),
            Err(AccessError::SessionToken { access_key_id }) if !is_right => assert_eq!(access_key_id, ID),
            _ => panic!("{token:?}"),
        }
    }
}

#[test]
fn no_refusal_shows_the_credential_of_the_caller() {
    let swapped = Request::invocation().signed().stating(ID, SECRET);
    let unknown = Request::invocation().signed().stating(ID, "SECRET");
    for request in [swapped, unknown, Request::invocation().with("authorization", "Bearer SECRET")] {
        let error = request.outcome().expect_err("is no key");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("wJalr"), "{error:?}");
        assert_eq!(error.access_key_id(), None);
    }
}

fn request() -> impl Strategy<Value = Request> {
    let fields = (
        "[a-z]{1,9}:[0-9]{1,4}",
        "[!-~]([ -~]{0,20}[!-~])?",
        prop::collection::vec("[ -~éü\u{a0}\u{3000}]{0,20}", 0..4),
        proptest::option::of("[!-~]{1,40}"),
    );
    let line = ("GET|POST|PUT", "(/[a-zA-Z0-9%:@!$'()*+,;=~_-]{1,9}){1,4}", "([a-z]{0,3}=?[a-z%0-9]{0,3}&?){0,3}");
    (line, fields, prop::collection::vec(any::<u8>(), 0..100)).prop_map(
        |((method, path, query), (host, content_type, values, token), body)| {
            let fields = [("host", host.as_str()), ("content-type", &content_type), ("x-amz-date", TIME)];
            let mut request = Request::new(&method, &path, &query, &fields, "");
            request.body = body;
            for (idx, value) in values.iter().enumerate() {
                // Every second one repeats a name.
                request = request.with(&format!("x-amzn-sagemaker-{}", idx / 2), value);
            }
            token.into_iter().fold(request, |request, token| request.with("x-amz-security-token", &token))
        },
    )
}

/// Another byte of the same kind in place of one that counts. None where there is no such byte.
fn changed(text: &[u8], place: usize) -> Option<Vec<u8>> {
    let mut text = text.to_vec();
    let places: Vec<usize> = (0..text.len()).filter(|idx| text[*idx].is_ascii_alphanumeric()).collect();
    let byte = &mut text[*places.get(place % places.len().max(1))?];
    *byte = if *byte == b'0' { b'1' } else { b'0' };
    Some(text)
}

proptest! {
    #[test]
    fn any_change_of_what_is_signed_is_refused(request in request(), place in any::<usize>()) {
        let signed = request.signed();
        prop_assert!(signed.outcome().is_ok(), "{:?}", signed.outcome());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("was ASCII");
        let mut others = Vec::new();
        for (part, set) in [
            (&signed.method, (|other, text| other.method = text) as fn(&mut Request, String)),
            (&signed.path, |other, text| other.path = text),
            (&signed.query, |other, text| other.query = text),
        ] {
            others.extend(changed(part.as_bytes(), place).map(|bytes| {
                let mut other = signed.clone();
                set(&mut other, text(bytes));
                other
            }));
        }
        for idx in 0..signed.fields.len() {
            others.extend(changed(&signed.fields[idx].1, place).map(|bytes| {
                let mut other = signed.clone();
                other.fields[idx].1 = bytes;
                other
            }));
            let mut other = signed.clone();
            other.fields.remove(idx);
            others.push(other);
            let mut other = signed.clone();
            other.fields.push(other.fields[idx].clone());
            others.push(other);
        }
        let mut other = signed.clone();
        match signed.body.len() {
            0 => other.body.push(0),
            len => other.body[place % len] ^= 1,
        }
        others.push(other);
        for other in others {
            prop_assert!(other.outcome().is_err(), "{:?}\n{:?}", signed, other);
        }
    }

    #[test]
    fn no_head_at_all_is_a_panic(
        texts in prop::collection::vec(any::<String>(), 3),
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 6),
        signed in any::<bool>(),
    ) {
        let names = ["authorization", "x-amz-date", "date", "host", "x-amz-security-token", "content-type"];
        let mut request = Request::new(&texts[0], &texts[1], &texts[2], &[], "");
        request.fields = names.map(str::to_owned).into_iter().zip(values).collect();
        if signed {
            request = request.without("authorization").replacing("x-amz-date", TIME).signed();
        }
        prop_assert_eq!(request.outcome().is_ok(), signed && !canonical::is_signed_in_query(&texts[2]));
    }
}
