//! HTTP for the stores: one client for all of them, with time limits, a limit on the bandwidth, and errors that contain
//! the server's message.

mod bounds;
mod entities;
mod refusal;
mod runtime;
mod secrets;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{stream, StreamExt as _, TryStreamExt as _};
use http::{Request, Response};

use crate::credentials::Credentials;
use binlog::store::support::Limit;
use binlog::store::{Answer, StoreOptions};
use binlog::{Error, Result};

pub(crate) use entities::unescaped;
pub(crate) use refusal::Refusal;
pub(crate) use runtime::Runtime;
use secrets::Secrets;

/// Sends requests and collects their answers.
pub(crate) struct Http {
    client: reqwest::Client,
    limit: Arc<Limit>,
    timeout: Duration,
    start: Instant,
    secrets: Secrets,
}

/// The answers for the ranges, in their order, with up to so many requests at a time. A slow request does not delay the
/// start of another.
pub(super) async fn side_by_side<T, F: Future<Output = Answer<T>>>(
    ranges: &[Range<u64>],
    in_flight: usize,
    fetch: impl Fn(Range<u64>) -> F,
) -> Answer<Vec<T>> {
    let requests = ranges.iter().cloned().enumerate().map(|(number, range)| {
        let answer = fetch(range);
        async move { answer.await.map(|answer| (number, answer)) }
    });
    let mut answers: Vec<_> = stream::iter(requests).buffer_unordered(in_flight).try_collect().await?;
    answers.sort_unstable_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// A body, in the chunks in which it was made.
pub(super) type Body = Vec<Bytes>;

impl Http {
    pub(crate) fn new(options: &StoreOptions, credentials: &Credentials) -> Result<Self> {
        let failed = |e: &dyn fmt::Display| Error::invalid(format!("TLS cannot be set up: {e}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls_platform_verifier::Verifier::new(provider.clone()).map_err(|e| failed(&e))?;
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("binlog/", env!("CARGO_PKG_VERSION")))
            // A request that is signed for one server is not valid for another.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.timeout)
            // Connections are not watched between calls: one that was idle for long has probably been closed.
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(options.in_flight as usize)
            .build()
            .map_err(|e| failed(&e.without_url()))?;
        let limit = Arc::new(Limit::new(options.bandwidth));
        let secrets = Secrets::of(credentials);
        Ok(Http { client, limit, timeout: options.timeout, start: Instant::now(), secrets })
    }

    /// Sends a request. An answer other than success (2xx) is a refusal, and so are no progress for too long, and more
    /// bytes than requested.
    ///
    /// When a connection breaks before an answer has come, the request is repeated once, immediately, on a new one: the
    /// server may have closed the idle connection in that moment. Every request of a store may be repeated.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Bytes>, Refusal> {
        let (parts, body) = request.into_parts();
        match self.send(parts.clone(), body.clone()).await {
            Err(refusal) if refusal.may_be_idleness() => self.send(parts, body).await,
            answered => answered,
        }
    }

    /// The refusal without secrets, for a message. Text from a server that was parsed elsewhere goes through this, too.
    pub(crate) fn scrubbed(&self, refusal: &Refusal) -> Refusal {
        refusal.clone().scrubbed(&self.secrets)
    }

    /// A text without secrets.
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.secrets.scrub(text)
    }

    async fn send(&self, parts: http::request::Parts, body: Body) -> Result<Response<Bytes>, Refusal> {
        self.secrets.note(&parts, &body);
        let (method, most) = (parts.method.clone(), bounds::most_of(&parts));
        let url = parts.uri.to_string().parse().map_err(|_| Refusal::broken("the URL of the request is not valid"))?;
        let mut request = reqwest::Request::new(parts.method, url);
        let length: usize = body.iter().map(Bytes::len).sum();
        *request.headers_mut() = parts.headers;
        let progress = Arc::new(Progress { at_ms: AtomicU64::new(self.now_ms()) });
        if length > 0 {
            request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
            *request.body_mut() = Some(self.paced(body, progress.clone()));
        } else if method == http::Method::PUT || method == http::Method::POST {
            // Some servers require the header for an empty body.
            request.headers_mut().insert(http::header::CONTENT_LENGTH, 0.into());
        }
        let response = self.watched(&progress, self.client.execute(request)).await?;
        let response: Response<reqwest::Body> = response.map_err(Refusal::transport)?.into();
        let (parts, body) = response.into_parts();
        let good = parts.status.is_success();
        let body = self.collect(&parts, body, if good { most } else { bounds::REASON }).await;
        match good {
            true => Ok(Response::from_parts(parts, body?)),
            // The status counts, even if its text did not arrive.
            false => Err(Refusal::answer(&parts, &body.unwrap_or_default(), &self.secrets)),
        }
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Waits for a future until there has been no progress for too long.
    async fn watched<T>(&self, progress: &Progress, future: impl Future<Output = T>) -> Result<T, Refusal> {
        let limit = self.timeout.as_millis() as u64;
        let mut future = std::pin::pin!(future);
        loop {
            let idle = self.now_ms().saturating_sub(progress.at_ms.load(Ordering::Relaxed));
            if idle >= limit {
                return Err(Refusal::timeout(self.timeout));
            }
            let rest = Duration::from_millis(limit - idle);
            if let Ok(done) = tokio::time::timeout(rest, &mut future).await {
                return Ok(done);
            }
        }
    }

    /// A body that is sent no faster than the limit allows, and records progress whenever a chunk is taken.
    fn paced(&self, body: Body, progress: Arc<Progress>) -> reqwest::Body {
        const PIECE: usize = 64 << 10;
        let piece = self.limit.piece(PIECE);
        let (limit, start) = (self.limit.clone(), self.start);
        let pieces = stream::unfold(body.into_iter().collect::<std::collections::VecDeque<_>>(), move |mut rest| {
            let (limit, progress) = (limit.clone(), progress.clone());
            async move {
                let mut first = rest.pop_front()?;
                let next = first.split_to(first.len().min(piece));
                if !first.is_empty() {
                    rest.push_front(first);
                }
                let wait = limit.wait(next.len(), Instant::now());
                let noted = |after: Duration| {
                    let at = start.elapsed() + after;
                    progress.at_ms.store(at.as_millis() as u64, Ordering::Relaxed);
                };
                // Waiting for the limit counts as progress.
                noted(wait);
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                Some((Ok::<_, std::convert::Infallible>(next), rest))
            }
        });
        reqwest::Body::wrap_stream(pieces)
    }

    async fn collect(&self, head: &http::response::Parts, body: reqwest::Body, most: usize) -> Result<Bytes, Refusal> {
        let length =
            head.headers.get(http::header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        let too_long = || Refusal::broken(format!("the answer is longer than the {most} bytes that were asked for"));
        // The rest is not read: the connection is closed when the body is dropped.
        if length.is_some_and(|length| length > most) {
            return Err(too_long());
        }
        let mut pieces = http_body_stream(body);
        let mut all = BytesMut::new();
        loop {
            let next = tokio::time::timeout(self.timeout, pieces.next()).await;
            let Some(piece) = next.map_err(|_| Refusal::timeout(self.timeout))? else { break };
            let piece = piece.map_err(Refusal::transport)?;
            if all.len() + piece.len() > most {
                return Err(too_long());
            }
            if all.is_empty() {
                all.reserve(length.unwrap_or(0).clamp(piece.len(), most.max(piece.len())));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

/// When a request last made progress, in milliseconds since the client was created.
struct Progress {
    at_ms: AtomicU64,
}

/// The data of a body, chunk by chunk.
fn http_body_stream(body: reqwest::Body) -> impl futures_util::Stream<Item = reqwest::Result<Bytes>> + Unpin {
    Box::pin(stream::unfold(body, |mut body| async move {
        loop {
            let frame = std::future::poll_fn(|cx| http_body::Body::poll_frame(std::pin::Pin::new(&mut body), cx)).await;
            match frame? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some((Ok(data), body)),
                    Err(_trailers) => (),
                },
                Err(e) => return Some((Err(e), body)),
            }
        }
    }))
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use binlog::store::Failure;

    #[test]
    fn a_request_that_takes_long_keeps_no_other_from_being_sent_and_answers_come_in_order() {
        let answered = AtomicU64::new(0);
        let ranges: Vec<_> = (0..20).map(|n| n..n + 1).collect();
        let fetch = |range: Range<u64>| {
            let answered = &answered;
            async move {
                // The first request is answered after all others.
                while range.start == 0 && answered.load(Ordering::Relaxed) < 19 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                answered.fetch_add(1, Ordering::Relaxed);
                Ok(range.start)
            }
        };
        let stuck = || Failure::later(Error::new(binlog::Kind::Io, "the others wait for the first"));
        let answers = Runtime::new().unwrap().run(
            async {
                let all = tokio::time::timeout(Duration::from_secs(20), side_by_side(&ranges, 2, fetch)).await;
                all.unwrap_or_else(|_| Err(stuck()))
            },
            || Err(stuck()),
        );
        assert_eq!(answers.unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn one_answer_that_is_a_failure_is_the_failure_of_all() {
        let fetch = |range: Range<u64>| async move {
            match range.start {
                3 => Err(Failure::later(Error::new(binlog::Kind::Io, "no"))),
                n => Ok(n),
            }
        };
        let ranges: Vec<_> = (0..9).map(|n| n..n + 1).collect();
        let answers = Runtime::new().unwrap().run(side_by_side(&ranges, 4, fetch), || Ok(vec![]));
        assert_eq!(answers.unwrap_err().error.reason(), "no");
    }
}
