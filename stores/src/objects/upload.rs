//! Stores a file: in one request, or in parts, which can be resumed after a restart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::StreamExt as _;
use md5::{Digest as _, Md5};
use object_store::multipart::PartId;
use object_store::path::Path as ObjectPath;
use object_store::{Attribute, Attributes, PutMode, PutMultipartOptions, PutOptions};

use super::connector::with_md5;
use super::token::Token;
use super::{refusal_of, ObjectsStore};
use crate::http::Refusal;
use binlog::store::support::changed;
use binlog::store::support::hex;
use binlog::store::{support::stopped, Answer, Failure, Stored, Upload};
use binlog::Error;

/// How often to check whether an upload is to stop.
pub(crate) const STOP_CHECK: Duration = Duration::from_millis(100);

/// The result of an attempt.
enum Tried {
    Done(Stored),
    /// The server no longer knows the upload that was to be resumed.
    Unknown,
}

impl ObjectsStore {
    pub(super) async fn store(&self, upload: &Upload<'_>) -> Answer<Stored> {
        let name = upload.name;
        let path = self.path(name)?;
        let known = upload.resume.and_then(|text| Token::parse_with(text, &upload.sums.part_md5));
        // Looked for first even where the server refuses to overwrite an object: it is cheap, and some servers that
        // accept the condition ignore it.
        if self.look(name).await?.is_some() {
            if let Some(token) = known {
                self.give_up(name, &token.id).await?;
            }
            return Ok(Stored::Exists);
        }
        let known = self.of_these_bytes(upload, known).await?;
        if upload.sums.part_md5.len() < 2 {
            return self.store_whole(upload, &path).await;
        }
        if let Tried::Done(stored) = self.store_parts(upload, &path, known).await? {
            return Ok(stored);
        }
        // The upload may be unknown because a request has completed it whose answer was lost.
        if self.look(name).await?.is_some() {
            return Ok(Stored::Exists);
        }
        match self.store_parts(upload, &path, None).await? {
            Tried::Done(stored) => Ok(stored),
            Tried::Unknown => {
                let refusal = Refusal::broken("the server has forgotten an upload that was just begun");
                Err(Failure {
                    again: binlog::store::Again::Later(None),
                    ..self.failure(&refusal, "store the object", name)
                })
            }
        }
    }

    /// Sends all parts, which do not become an object yet.
    pub(super) async fn send(&self, upload: &Upload<'_>) -> Answer<()> {
        if upload.sums.part_md5.len() < 2 {
            return Ok(());
        }
        let path = self.path(upload.name)?;
        let known = upload.resume.and_then(|text| Token::parse_with(text, &upload.sums.part_md5));
        let known = self.of_these_bytes(upload, known).await?;
        self.send_missing(upload, &path, known).await.map(drop)
    }

    /// The upload to resume; one of other bytes is aborted.
    async fn of_these_bytes(&self, upload: &Upload<'_>, known: Option<Token>) -> Answer<Option<Token>> {
        match known {
            Some(token) if !token.is_of(upload.sums) || upload.sums.part_md5.len() < 2 => {
                self.give_up(upload.name, &token.id).await?;
                Ok(None)
            }
            known => Ok(known),
        }
    }

    fn describing(&self, sha256: &[u8; 32]) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::Metadata(self.vendor.sha256_key().into()), hex(sha256).into());
        if let Some(class) = &self.storage_class {
            attributes.insert(Attribute::StorageClass, class.clone().into());
        }
        attributes
    }

    async fn store_whole(&self, upload: &Upload<'_>, path: &ObjectPath) -> Answer<Stored> {
        let bytes = read_part(upload, 0)?;
        loop {
            let conditional = self.vendor.conditional();
            let mode = if conditional { PutMode::Create } else { PutMode::Overwrite };
            let attributes = self.describing(&upload.sums.sha256);
            let options = PutOptions { mode, attributes, tags: self.tags(), ..PutOptions::default() };
            let put = with_md5(
                upload.sums.md5().unwrap_or_default(),
                self.objects.put_opts(path, bytes.clone().into(), options),
            );
            let refusal = match until_stopped(upload, put).await.map_err(|f| f.at(&self.url_of(upload.name)))? {
                Ok(_) => {
                    upload.monitor.sent(upload.sums.bytes);
                    return Ok(Stored::New);
                }
                Err(e) => refusal_of(&e),
            };
            if exists(&refusal) {
                return Ok(Stored::Exists);
            }
            if conditional && lacks_conditions(&refusal) && self.vendor.give_up_conditions() {
                continue;
            }
            return Err(self.refused(&refusal, upload, &bytes, 0));
        }
    }

    /// The failure of a request that sent these bytes. They may differ from what the checksums say.
    fn refused(&self, refusal: &Refusal, upload: &Upload<'_>, bytes: &[u8], part: usize) -> Failure {
        let may_be_damage = matches!(refusal.status, Some(400 | 422));
        if may_be_damage
            && upload.sums.part_md5.get(part).is_some_and(|md5| *md5 != <[u8; 16]>::from(Md5::digest(bytes)))
        {
            return changed(upload);
        }
        self.failure(refusal, "store the object", upload.name)
    }

    async fn begin(&self, upload: &Upload<'_>, path: &ObjectPath) -> Answer<Token> {
        let begun = match self.vendor.describes_at_begin() {
            true => {
                let attributes = self.describing(&upload.sums.sha256);
                let options = PutMultipartOptions { attributes, tags: self.tags(), ..PutMultipartOptions::default() };
                self.objects.create_multipart_opts(path, options).await
            }
            false => self.objects.create_multipart(path).await,
        };
        let id = begun.map_err(|e| self.failure(&refusal_of(&e), "begin to store the object", upload.name))?;
        Ok(Token::new(id, upload.sums))
    }

    async fn store_parts(&self, upload: &Upload<'_>, path: &ObjectPath, known: Option<Token>) -> Answer<Tried> {
        let resumed = known.is_some();
        match self.send_missing(upload, path, known).await? {
            Some(token) => self.complete(upload, path, &token).await,
            None if resumed => Ok(Tried::Unknown),
            None => Err(self.lost_bucket(upload)),
        }
    }

    /// Sends the parts that are missing; `None` when the server knows no such upload.
    async fn send_missing(
        &self,
        upload: &Upload<'_>,
        path: &ObjectPath,
        known: Option<Token>,
    ) -> Answer<Option<Token>> {
        let mut token = match known {
            Some(token) => token,
            None => self.begin(upload, path).await?,
        };
        let note = |token: &Token| upload.monitor.note(&token.to_text(upload.sums)).map_err(Failure::later);
        note(&token)?;
        let mut missing = vec![];
        for (number, part) in token.parts.iter().enumerate() {
            match part {
                Some(_) => upload.monitor.found(upload.sums.part(number).1),
                None => missing.push(number),
            }
        }
        let id = Arc::new(token.id.clone());
        let send = |number: usize| {
            let id = id.clone();
            async move {
                let _slot = self.slots.acquire().await;
                let bytes = read_part(upload, number)?;
                let put = self.objects.put_part(path, &id, number, bytes.clone().into());
                match with_md5(upload.sums.part_md5[number], put).await {
                    Ok(part) => Ok(Ok((number, part))),
                    Err(e) => match refusal_of(&e) {
                        refusal if refusal.is(404) => Ok(Err(())),
                        refusal => Err(self.refused(&refusal, upload, &bytes, number)),
                    },
                }
            }
        };
        let mut missing = missing.into_iter();
        let mut under_way = FuturesUnordered::new();
        // After a failure the parts in flight are still completed: they need not be sent again.
        let (mut failed, mut forgotten) = (None, false);
        loop {
            while under_way.len() < self.in_flight && failed.is_none() && !forgotten {
                match missing.next() {
                    Some(number) => under_way.push(send(number)),
                    None => break,
                }
            }
            let done = match tokio::time::timeout(STOP_CHECK, under_way.next()).await {
                Ok(None) => break,
                Ok(Some(done)) => done,
                Err(_) if upload.monitor.stop() => return Err(stopped().at(&self.url_of(upload.name))),
                Err(_) => continue,
            };
            match done {
                Ok(Ok((number, part))) => {
                    token.parts[number] = Some(part.content_id);
                    note(&token)?;
                    upload.monitor.sent(upload.sums.part(number).1);
                }
                Ok(Err(())) => forgotten = true,
                Err(failure) => failed = failed.or(Some(failure)),
            }
            if upload.monitor.stop() {
                return Err(stopped().at(&self.url_of(upload.name)));
            }
        }
        if let Some(failure) = failed {
            return Err(failure);
        }
        Ok((!forgotten).then_some(token))
    }

    /// The parts of an upload that was just begun were refused: its bucket or container is gone.
    fn lost_bucket(&self, upload: &Upload<'_>) -> Failure {
        let refusal = Refusal::gone("the upload that was just begun is gone");
        Failure { again: binlog::store::Again::Later(None), ..self.failure(&refusal, "store the object", upload.name) }
    }

    async fn complete(&self, upload: &Upload<'_>, path: &ObjectPath, token: &Token) -> Answer<Tried> {
        loop {
            let conditional = self.vendor.conditional();
            if !conditional && self.look(upload.name).await?.is_some() {
                self.give_up(upload.name, &token.id).await?;
                return Ok(Tried::Done(Stored::Exists));
            }
            let parts = token.parts.iter().flatten().map(|id| PartId { content_id: id.clone() }).collect();
            let sha256 = hex(&upload.sums.sha256);
            let refusal = match self.vendor.complete(path, &token.id, parts, &sha256).await {
                Ok(()) => return Ok(Tried::Done(Stored::New)),
                Err(refusal) => refusal,
            };
            if exists(&refusal) {
                self.give_up(upload.name, &token.id).await?;
                return Ok(Tried::Done(Stored::Exists));
            }
            if conditional && lacks_conditions(&refusal) && self.vendor.give_up_conditions() {
                continue;
            }
            // InvalidPart and InvalidBlockList: parts in the token are gone.
            let unknown =
                refusal.is(404) || (refusal.is(400) && matches!(&*refusal.code, "InvalidPart" | "InvalidBlockList"));
            if unknown {
                return Ok(Tried::Unknown);
            }
            return Err(self.failure(&refusal, "store the object", upload.name));
        }
    }
}

/// The condition did not hold: there is an object of this name.
fn exists(refusal: &Refusal) -> bool {
    refusal.is(412) || (refusal.is(409) && refusal.code == "BlobAlreadyExists")
}

/// The server does not support conditions.
fn lacks_conditions(refusal: &Refusal) -> bool {
    refusal.is(501) || (refusal.is(400) && refusal.code == "NotImplemented")
}

/// Reads a part of the file.
pub(crate) fn read_part(upload: &Upload<'_>, number: usize) -> Answer<Bytes> {
    let (at, len) = upload.sums.part(number);
    let mut bytes = vec![0; len as usize];
    let n = binlog::store::support::read_full(upload.source, &mut bytes, at)
        .map_err(|e| Failure::later(Error::io(&e, "read the file that is archived").at(upload.path)))?;
    if n < bytes.len() {
        return Err(changed(upload));
    }
    Ok(bytes.into())
}

/// Waits for a request, unless the upload is to stop.
pub(crate) async fn until_stopped<T>(upload: &Upload<'_>, request: impl std::future::Future<Output = T>) -> Answer<T> {
    let mut request = std::pin::pin!(request);
    loop {
        match tokio::time::timeout(STOP_CHECK, &mut request).await {
            Ok(done) => return Ok(done),
            Err(_) if upload.monitor.stop() => return Err(stopped()),
            Err(_) => (),
        }
    }
}
