//! A client that writes and reads bytes, for what well-behaved clients never do.

use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::support::{PATIENCE, within};

pub struct Wire {
    stream: TcpStream,
    /// Read, but of the next answer.
    ahead: Vec<u8>,
}

impl Wire {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = within(PATIENCE, TcpStream::connect(address)).await.expect("connects");
        Self { stream, ahead: Vec::new() }
    }

    /// False when the server has closed the connection.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within(PATIENCE, self.write_all(bytes.as_ref())).await.is_ok()
    }

    /// One answer with a Content-Length, as text; what was read when the connection closes before.
    pub async fn answer(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.ahead);
        loop {
            if let Some(end) = end_of_answer(&bytes) {
                self.ahead = bytes.split_off(end);
                break;
            }
            if within(PATIENCE, self.read(&mut bytes)).await.unwrap_or(0) == 0 {
                break;
            }
        }
        String::from_utf8(bytes).expect("answers are UTF-8")
    }

    /// Everything until the server closes, which it must do in time. A reset is an end, too.
    pub async fn rest(&mut self, limit: Duration) -> String {
        let mut bytes = std::mem::take(&mut self.ahead);
        within(limit, async { while self.read(&mut bytes).await.unwrap_or(0) > 0 {} }).await;
        String::from_utf8(bytes).expect("answers are UTF-8")
    }

    async fn write_all(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            bytes = &bytes[once_ready(self.stream.try_write(bytes))?.unwrap_or(0)..];
        }
        Ok(())
    }

    /// Appends what has come; 0 at the end.
    async fn read(&self, bytes: &mut Vec<u8>) -> Result<usize> {
        let mut some = [0; 4096];
        loop {
            self.stream.readable().await?;
            if let Some(n_read) = once_ready(self.stream.try_read(&mut some))? {
                bytes.extend(&some[..n_read]);
                return Ok(n_read);
            }
        }
    }
}

/// None when the socket was not ready after all.
fn once_ready(outcome: Result<usize>) -> Result<Option<usize>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}

/// Where the first answer ends, if it is whole.
fn end_of_answer(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end = head.len() + 4 + length.map_or(0, |length| length.parse().expect("is a length"));
    (bytes.len() >= end).then_some(end)
}

/// The head of an InvokeEndpoint, without the final empty line.
pub fn head(endpoint: &str, fields: &str) -> String {
    format!("POST /endpoints/{endpoint}/invocations HTTP/1.1\r\nhost: test\r\ncontent-type: text/csv\r\n{fields}")
}

/// A whole InvokeEndpoint.
pub fn whole(endpoint: &str, body: &str) -> String {
    head(endpoint, &format!("content-length: {}\r\n\r\n{body}", body.len()))
}
