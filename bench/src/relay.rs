//! Forwards connections to a server, over a simulated line if wanted, and counts the bytes that come back.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// Bytes that a relay reads at once.
const PIECE: usize = 64 << 10;
/// Buffers in flight in a connection: four times what 1 Gbit/s has in flight in 10 ms.
const UNDER_WAY: usize = 80;

pub struct Relay {
    pub address: SocketAddr,
    bytes: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// The line that all answers share.
pub struct Line {
    bytes_per_second: f64,
    /// The delay of all bytes.
    delay: Duration,
    /// When the last byte so far leaves the line.
    free: Mutex<Instant>,
}

impl Line {
    pub fn new(bytes_per_second: f64, delay: Duration) -> Self {
        Line { bytes_per_second, delay, free: Mutex::new(Instant::now()) }
    }

    /// When so many bytes reach the other end, if they enter the line now.
    fn arrival(&self, bytes: usize) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = (*free).max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        *free + self.delay
    }
}

impl Relay {
    /// A relay without delay.
    pub fn to(server: &str) -> Result<Self> {
        Self::with(server, None)
    }

    /// A relay with a line.
    pub fn over(server: &str, line: Line) -> Result<Self> {
        Self::with(server, Some(Arc::new(line)))
    }

    fn with(server: &str, line: Option<Arc<Line>>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay = Relay {
            address: listener.local_addr()?,
            bytes: Arc::default(),
            connections: Arc::default(),
            stop: Arc::default(),
        };
        let (bytes, connections, stop) = (relay.bytes.clone(), relay.connections.clone(), relay.stop.clone());
        let server = server.to_owned();
        thread::spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                let Ok(server) = TcpStream::connect(&server) else { continue };
                connections.fetch_add(1, Ordering::Relaxed);
                // The client reports a connection that breaks.
                let _ = relay_both(&client, &server, &bytes, line.as_ref());
            }
        });
        Ok(relay)
    }

    /// Bytes that came from the server, and connections.
    pub fn taken(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.connections.load(Ordering::Relaxed))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, which then sees `stop`.
        let _ = TcpStream::connect(self.address);
    }
}

/// The same URL with a relay in front of its server.
pub fn relayed(url: &str, relay: impl FnOnce(&str) -> Result<Relay>) -> Result<(String, Relay)> {
    let (before, rest) = url.split_once("endpoint=http://").ok_or("the URL of the bucket names no endpoint")?;
    let (server, after) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
    let relay = relay(server)?;
    Ok((format!("{before}endpoint=http://{}{after}", relay.address), relay))
}

fn relay_both(
    client: &TcpStream,
    server: &TcpStream,
    bytes: &Arc<AtomicU64>,
    line: Option<&Arc<Line>>,
) -> std::io::Result<()> {
    for stream in [client, server] {
        stream.set_nodelay(true)?;
    }
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || copy(from, to, &AtomicU64::new(0)));
    let (from, to, bytes, line) = (server.try_clone()?, client.try_clone()?, bytes.clone(), line.cloned());
    thread::spawn(move || match line {
        Some(line) => copy_over(&line, from, to, &bytes),
        None => copy(from, to, &bytes),
    });
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    let mut buffer = vec![0; PIECE];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        // Counted before it is forwarded: the client never has bytes that are not counted.
        bytes.fetch_add(n as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn copy_over(line: &Line, mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    let (entering, arriving) = sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    thread::scope(|scope| {
        scope.spawn(move || {
            for (arrival, piece) in arriving {
                thread::sleep(arrival.saturating_duration_since(Instant::now()));
                if to.write_all(&piece).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut buffer = vec![0; PIECE];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            bytes.fetch_add(n as u64, Ordering::Relaxed);
            if entering.send((line.arrival(n), buffer[..n].to_vec())).is_err() {
                break;
            }
        }
        drop(entering);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_handed_on_and_counted() -> Result<()> {
        let server = TcpListener::bind("127.0.0.1:0")?;
        let relay = Relay::to(&server.local_addr()?.to_string())?;
        let mut client = TcpStream::connect(relay.address)?;
        client.write_all(b"question")?;
        let mut served = server.accept()?.0;
        let mut question = [0; 8];
        served.read_exact(&mut question)?;
        served.write_all(b"answer")?;
        drop(served);
        let mut answer = String::new();
        client.read_to_string(&mut answer)?;
        assert_eq!((&question, answer.as_str(), relay.taken()), (b"question", "answer", (6, 1)));
        Ok(())
    }

    #[test]
    fn a_line_takes_its_time_for_the_bytes_and_for_the_way() -> Result<()> {
        let server = TcpListener::bind("127.0.0.1:0")?;
        let line = Line::new(10e6, Duration::from_millis(50));
        let relay = Relay::over(&server.local_addr()?.to_string(), line)?;
        let begin = Instant::now();
        let mut client = TcpStream::connect(relay.address)?;
        let mut served = server.accept()?.0;
        served.write_all(&[1; 1_000_000])?;
        drop(served);
        let mut answer = vec![];
        client.read_to_end(&mut answer)?;
        assert!(begin.elapsed() >= Duration::from_millis(150), "{:?}", begin.elapsed());
        assert_eq!((answer, relay.taken().0), (vec![1; 1_000_000], 1_000_000));
        Ok(())
    }
}
