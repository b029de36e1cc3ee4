//! The server as a process of its own, and connections to it that are asked one request after the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// On the CPU with so many threads for its engine; all cores without a number.
    pub fn start(definition: &Path, n_threads: Option<usize>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_explaind"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--endpoints"]).arg(definition);
        command.env("EXPLAIND_LOG", "error").stdout(Stdio::piped());
        command.envs(n_threads.map(|n_threads| ("RAYON_NUM_THREADS", n_threads.to_string())));
        let mut process = command.spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("is piped")).read_line(&mut line).expect("reads");
        let address = line.trim().strip_prefix("listening on http://").expect("listens").to_owned();
        Self { process, address }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn client(&self, endpoint: &'static str) -> Client {
        let stream = TcpStream::connect(&self.address).expect("the server accepts");
        stream.set_nodelay(true).expect("is a TCP connection");
        Client { endpoint, stream: BufReader::new(stream) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a definition where the server reads it, beside a copy of its model.
pub fn write_definition(name: &str, model: &Path, definition: &Value) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let file = Path::new(definition["PrimaryContainer"]["ModelDataUrl"].as_str().expect("names its model"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    std::fs::copy(model, folder.join(file)).expect("can be copied");
    let path = folder.join("endpoint.json");
    std::fs::write(&path, definition.to_string()).expect("can be written");
    path
}

/// One connection to an endpoint that reads CSV.
pub struct Client {
    endpoint: &'static str,
    stream: BufReader<TcpStream>,
}

pub struct Answer {
    /// Its Server-Timing.
    pub timing: String,
    pub body: Vec<u8>,
}

impl Client {
    pub fn post(&mut self, body: &str) -> Answer {
        let head = format!(
            "POST /endpoints/{}/invocations HTTP/1.1\r\nHost: server\r\nContent-Type: text/csv\r\n\
             Content-Length: {}\r\n\r\n",
            self.endpoint,
            body.len()
        );
        let stream = self.stream.get_mut();
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body.as_bytes()))
            .expect("the server reads");
        let head = self.head();
        let field = |name: &str| {
            let of_line = |line: &str| {
                line.to_ascii_lowercase().starts_with(name).then(|| line[name.len()..].trim().to_owned())
            };
            head.iter().find_map(|line| of_line(line)).unwrap_or_default()
        };
        let mut body = vec![0; field("content-length:").parse().expect("the server says how long its answer is")];
        self.stream.read_exact(&mut body).expect("the server answers");
        assert!(head[0].contains(" 200 "), "{}: {}", head[0], String::from_utf8_lossy(&body));
        Answer { timing: field("server-timing:"), body }
    }

    fn head(&mut self) -> Vec<String> {
        let lines = std::iter::from_fn(|| {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("the server answers");
            Some(line.trim_end().to_owned())
        });
        lines.take_while(|line| !line.is_empty()).collect()
    }
}
