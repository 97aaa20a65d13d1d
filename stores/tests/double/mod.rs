//! An HTTP server on loopback that answers as a test wants, and records its requests.

// Not every test uses all of it.
#![allow(dead_code)]

pub mod bucket;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Everything that was sent, as a careless server would show it.
    pub fn shown(&self) -> String {
        format!("{} {:?} {}", self.target, self.headers, String::from_utf8_lossy(&self.body))
    }
}

#[derive(Clone, Debug)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// As `Answer`, with so many bytes of filler after `body`, and without their number if `is_chunked`.
    Long {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        bytes: u64,
        is_chunked: bool,
    },
    /// Sends nothing, and keeps the connection open.
    Stall,
    /// Sends the head and half of a body, and then nothing.
    Half,
    /// Closes the connection.
    Close,
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Reply::Answer { status, headers, body: body.into() }
}

pub struct Double {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicU64>,
}

impl Double {
    pub fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, stop) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(false)));
        let reply = Arc::new(reply);
        let taken = Arc::new(AtomicU64::new(0));
        let (list, end, count) = (asked.clone(), stop.clone(), taken.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (list, reply, count) = (list.clone(), reply.clone(), count.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &list, &count, &*reply));
            }
        });
        Double { url, asked, stop, taken }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Bytes of long answers that were received, or that are on their way.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

/// Answers the requests of a connection until it ends.
fn serve(
    stream: TcpStream,
    list: &Mutex<Vec<Asked>>,
    taken: &AtomicU64,
    reply: &dyn Fn(&Asked) -> Reply,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let asked = read(&mut reader)?;
        let head = asked.method == "HEAD";
        list.lock().unwrap().push(asked.clone());
        match reply(&asked) {
            Reply::Close => return None,
            Reply::Stall => {
                // Until the other side gives up.
                let _ = reader.read_to_end(&mut vec![]);
                return None;
            }
            Reply::Half => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\netag: \"x\"\r\n\r\n0123456789").ok()?;
                let _ = reader.read_to_end(&mut vec![]);
                return None;
            }
            Reply::Long { status, headers, body, bytes, is_chunked } => {
                let mut text = format!("HTTP/1.1 {status} Reason\r\n");
                for (name, value) in &headers {
                    text += &format!("{name}: {value}\r\n");
                }
                text += &match is_chunked {
                    true => "transfer-encoding: chunked\r\n\r\n".to_owned(),
                    false => format!("content-length: {}\r\n\r\n", body.len() as u64 + bytes),
                };
                stream.write_all(text.as_bytes()).ok()?;
                let chunk = vec![b' '; 64 << 10];
                let mut send = |chunk: &[u8]| -> Option<()> {
                    if is_chunked {
                        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).ok()?;
                    }
                    stream.write_all(chunk).ok()?;
                    taken.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    match is_chunked {
                        true => stream.write_all(b"\r\n").ok(),
                        false => Some(()),
                    }
                };
                if !body.is_empty() {
                    send(&body)?;
                }
                for _ in 0..bytes / chunk.len() as u64 {
                    send(&chunk)?;
                }
                if is_chunked {
                    stream.write_all(b"0\r\n\r\n").ok()?;
                }
            }
            Reply::Answer { status, headers, body } => {
                let mut text = format!("HTTP/1.1 {status} Reason\r\n");
                let has_length = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
                for (name, value) in &headers {
                    text += &format!("{name}: {value}\r\n");
                }
                if !has_length {
                    text += &format!("content-length: {}\r\n", body.len());
                }
                stream.write_all(format!("{text}\r\n").as_bytes()).ok()?;
                if !head {
                    stream.write_all(&body).ok()?;
                }
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, target, headers, body })
}
