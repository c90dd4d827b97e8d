//! Counts what a DynamoDB is asked: an HTTP server that passes every request on as it is, and every answer back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::{Add, Sub};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::units::{item_bytes, read_units, write_units};
use crate::failure::Failure;
use crate::servers::listen;

/// What one application's tables were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Writes that were applied.
    pub(crate) applied: f64,
    /// Writes whose condition failed.
    pub(crate) rejected: f64,
    /// What both cost.
    pub(crate) write_units: f64,
    /// Pages of scans.
    pub(crate) scans: f64,
    /// Reads of one item.
    pub(crate) gets: f64,
    /// What both cost.
    pub(crate) read_units: f64,
}

impl Counts {
    /// Each number with its counterpart.
    fn zip(self, other: Self, with: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            applied: with(self.applied, other.applied),
            rejected: with(self.rejected, other.rejected),
            write_units: with(self.write_units, other.write_units),
            scans: with(self.scans, other.scans),
            gets: with(self.gets, other.gets),
            read_units: with(self.read_units, other.read_units),
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        self.zip(before, |after, before| after - before)
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        self.zip(more, |some, more| some + more)
    }
}

#[derive(Debug, Default)]
struct Counted {
    by_table: BTreeMap<String, Counts>,
    /// The bytes of each row that was written, by its table and key.
    rows: BTreeMap<(String, String), u64>,
    /// The bytes of all rows, and their number, of the last scan of a table.
    scanned: BTreeMap<String, (u64, u64)>,
    /// Operations that are not counted, because they cost nothing or happen at the start only.
    others: BTreeMap<String, u64>,
}

/// What goes through it is counted. A handle: clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    server: SocketAddr,
    counted: Arc<Mutex<Counted>>,
}

/// A request, as far as it matters.
struct Asked<'a> {
    operation: &'a str,
    table: String,
    body: Value,
}

impl Meter {
    /// Starts to listen on 127.0.0.1, in front of the server at this address. Yields the URL, too.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn start(runtime: &Handle, server: SocketAddr) -> Result<(Self, String), Failure> {
        let meter = Self { server, counted: Arc::default() };
        let (listener, url) = listen()?;
        let app = Router::new().fallback(pass).with_state(meter.clone());
        let _entered = runtime.enter();
        let listener = TcpListener::from_std(listener).map_err(|error| Failure::of("cannot listen", &error))?;
        runtime.spawn(async move { axum::serve(listener, app).await });
        Ok((meter, url))
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the tables of this application, whose names begin with that of the lease table, were asked until now.
    pub(crate) fn of(&self, application: &str) -> Counts {
        let counted = self.counted();
        let of_it = counted.by_table.iter().filter(|(table, _)| table.starts_with(application));
        of_it.fold(Counts::default(), |sum, (_, more)| sum + *more)
    }

    /// The mean size of the rows that the last scan of this table gave.
    #[allow(clippy::cast_precision_loss, reason = "a number of bytes")]
    pub(crate) fn row_bytes(&self, table: &str) -> f64 {
        self.counted().scanned.get(table).map_or(0.0, |(bytes, rows)| *bytes as f64 / (*rows).max(1) as f64)
    }

    /// Operations that are not counted, and how often each was asked for.
    pub(crate) fn others(&self) -> BTreeMap<String, u64> {
        self.counted().others.clone()
    }

    async fn count(&self, asked: Asked<'_>, status: StatusCode, answer: &Value) {
        let consistent = asked.body["ConsistentRead"].as_bool().unwrap_or(false);
        let table = asked.table.clone();
        match asked.operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => self.count_write(asked, status, answer).await,
            "Scan" | "Query" if status.is_success() => {
                let items: Vec<u64> = answer["Items"].as_array().into_iter().flatten().map(item_bytes).collect();
                let (bytes, rows) = (items.iter().sum(), u64::try_from(items.len()).unwrap_or(u64::MAX));
                let mut counted = self.counted();
                if asked.body.get("Limit").is_none() {
                    counted.scanned.insert(table.clone(), (bytes, rows));
                }
                let counts = counted.by_table.entry(table).or_default();
                counts.scans += 1.0;
                counts.read_units += read_units(bytes, consistent);
            }
            "GetItem" if status.is_success() => {
                let mut counted = self.counted();
                let counts = counted.by_table.entry(table).or_default();
                counts.gets += 1.0;
                counts.read_units += read_units(item_bytes(&answer["Item"]), consistent);
            }
            other => *self.counted().others.entry(format!("{other} {}", status.as_u16())).or_default() += 1,
        }
    }

    async fn count_write(&self, asked: Asked<'_>, status: StatusCode, answer: &Value) {
        let rejected = answer["__type"].as_str().is_some_and(|kind| kind.ends_with("ConditionalCheckFailedException"));
        if !rejected && !status.is_success() {
            *self.counted().others.entry(format!("{} {}", asked.operation, status.as_u16())).or_default() += 1;
            return;
        }
        let item = if asked.operation == "PutItem" { &asked.body["Item"] } else { &asked.body["Key"] };
        let key = ["leaseKey", "key", "wid"].iter().find_map(|name| item.get(name)).map(ToString::to_string).unwrap_or_default();
        // Not every answer shows the row.
        let after = match asked.operation {
            "PutItem" => item_bytes(item),
            "UpdateItem" => self.size_now(&asked.table, &asked.body["Key"]).await,
            _ => 0,
        };
        let mut counted = self.counted();
        let row = (asked.table.clone(), key);
        let before = counted.rows.get(&row).copied().unwrap_or(0);
        if !rejected {
            counted.rows.insert(row, after);
        }
        let counts = counted.by_table.entry(asked.table).or_default();
        *if rejected { &mut counts.rejected } else { &mut counts.applied } += 1.0;
        counts.write_units += write_units(if rejected { before } else { before.max(after) });
    }

    /// A request of the meter's own, which is not counted.
    async fn size_now(&self, table: &str, key: &Value) -> u64 {
        let body = json!({"TableName": table, "Key": key, "ConsistentRead": true}).to_string();
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.GetItem"));
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
        // The server looks whether there is one, and not what it says.
        headers.insert(
            "authorization",
            HeaderValue::from_static(
                "AWS4-HMAC-SHA256 Credential=local/20240101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
            ),
        );
        headers.insert("x-amz-date", HeaderValue::from_static("20240101T000000Z"));
        headers.insert("host", HeaderValue::from_static("localhost"));
        let answer = forward(self.server, "/", &headers, body.as_bytes()).await;
        let item = answer.ok().and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
        item.map_or(0, |answer| item_bytes(&answer["Item"]))
    }
}

/// An answer of the server.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Any request: it is passed on, then counted, then answered.
async fn pass(State(meter): State<Meter>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 16 << 20).await else { return StatusCode::BAD_REQUEST.into_response() };
    let Ok(answer) = forward(meter.server, &parts.uri.to_string(), &parts.headers, &body).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let read = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let (asked, said) = (read(&body), read(&answer.body));
    let table = asked["TableName"].as_str().unwrap_or_default().to_owned();
    meter.count(Asked { operation, table, body: asked }, answer.status, &said).await;
    let mut response = Response::new(Body::from(answer.body));
    (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
    response
}

/// Sends a request on a connection of its own.
async fn forward(server: SocketAddr, path: &str, headers: &HeaderMap, body: &[u8]) -> std::io::Result<Answer> {
    let mut request = format!("POST {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers.iter().filter(|(name, _)| !is_of_connection(name)) {
        request.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    parse(&answer).ok_or_else(|| std::io::Error::other("not an answer"))
}

fn is_of_connection(name: &HeaderName) -> bool {
    [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name)
}

/// An answer that says its length, as those of this server do, or ends with the connection.
fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&answer[..end]).ok()?.split("\r\n");
    let status = StatusCode::from_bytes(lines.next()?.split(' ').nth(1)?.as_bytes()).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if !is_of_connection(&name) {
            headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
        }
    }
    Some(Answer { status, headers, body: Bytes::copy_from_slice(&answer[end + 4..]) })
}
