//! The progress of shipping a log, for people and for Prometheus.

use std::fmt::Write;
use std::time::Duration;

use crate::error::Error;

/// What a [`crate::shipping::Shipper`] is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShipState {
    /// Nothing waits, or shipping has not begun.
    #[default]
    Idle,
    /// Segments are being shipped.
    Working,
    /// Something has failed, and is tried again later.
    Waiting,
}

/// The progress of shipping a log to a store.
#[derive(Clone, Debug, Default)]
pub struct ShipStatus {
    /// The log's name.
    pub log: String,
    /// The store's URL, without options and without anything secret.
    pub store: String,
    /// The current activity.
    pub state: ShipState,
    /// Closed segments that the store does not contain yet, and their bytes.
    pub waiting_segments: u64,
    /// See `waiting_segments`.
    pub waiting_bytes: u64,
    /// Closed segments whose files are damaged: they are not sent, and count as waiting.
    pub damaged_segments: u64,
    /// Segments that are neither here nor in the store, although the log names them, and whose loss has not been
    /// accepted.
    pub missing_segments: u64,
    /// How long ago the oldest segment that waits was closed.
    pub oldest_waiting: Option<Duration>,
    /// Segments that the store was found to contain since the shipper was opened, and their bytes.
    pub uploaded_segments: u64,
    /// See `uploaded_segments`.
    pub uploaded_bytes: u64,
    /// Bytes that the store has taken since then, including uploads that became no object. Bytes that it had already
    /// are not counted.
    pub sent_bytes: u64,
    /// Segments whose files were removed here since then.
    pub pruned_segments: u64,
    /// Failures since then.
    pub failures: u64,
    /// The last failure, and its time: nanoseconds since the Unix epoch.
    pub last_failure: Option<(Error, i64)>,
    /// When a segment was last found in the store: nanoseconds since the Unix epoch.
    pub last_upload: Option<i64>,
    /// Number of the newest segment up to which all closed ones are in the store; 0 if there is none.
    pub shipped_up_to: u64,
}

/// The value of a metric for one status.
type Value = fn(&ShipStatus) -> Option<f64>;

const METRICS: [(&str, &str, &str, Value); 13] = [
    ("waiting_segments", "gauge", "Closed segments that the store does not hold yet.", |it| {
        Some(it.waiting_segments as f64)
    }),
    ("waiting_bytes", "gauge", "Bytes of these segments.", |it| Some(it.waiting_bytes as f64)),
    ("damaged_segments", "gauge", "Closed segments that are damaged and not sent.", |it| {
        Some(it.damaged_segments as f64)
    }),
    ("missing_segments", "gauge", "Segments that are neither here nor in the store, and not accepted as lost.", |it| {
        Some(it.missing_segments as f64)
    }),
    ("oldest_waiting_seconds", "gauge", "How long ago the oldest that waits was closed; 0 when none does.", |it| {
        Some(it.oldest_waiting.unwrap_or_default().as_secs_f64())
    }),
    ("uploaded_segments_total", "counter", "Segments that the store was found to hold.", |it| {
        Some(it.uploaded_segments as f64)
    }),
    ("uploaded_bytes_total", "counter", "Bytes of these segments.", |it| Some(it.uploaded_bytes as f64)),
    ("sent_bytes_total", "counter", "Bytes that the store has taken, also in vain.", |it| Some(it.sent_bytes as f64)),
    ("pruned_segments_total", "counter", "Segments whose files were removed here.", |it| {
        Some(it.pruned_segments as f64)
    }),
    ("failures_total", "counter", "Steps that have failed.", |it| Some(it.failures as f64)),
    ("failing", "gauge", "1 while something that has failed waits to be tried again.", |it| {
        Some(f64::from(u8::from(it.state == ShipState::Waiting)))
    }),
    ("last_upload_timestamp_seconds", "gauge", "When a segment was found in the store last.", |it| {
        it.last_upload.map(|ns| ns as f64 / 1e9)
    }),
    ("last_failure_timestamp_seconds", "gauge", "When something failed last.", |it| {
        it.last_failure.as_ref().map(|(_, ns)| *ns as f64 / 1e9)
    }),
];

/// The metrics of logs in the text format of Prometheus, each named `binlog_ship_…`, with the labels `log` and `store`.
/// Counters begin at 0 when a shipper is opened.
pub fn ship_metrics(statuses: &[ShipStatus]) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in METRICS {
        // A fixed number of decimals, so the text hardly ever grows between two calls of a caller that asks for its
        // length first.
        let decimals = if name.ends_with("_seconds") { 3 } else { 0 };
        let _ = writeln!(text, "# HELP binlog_ship_{name} {help}\n# TYPE binlog_ship_{name} {kind}");
        for status in statuses {
            if let Some(value) = value(status) {
                let (log, store) = (escaped(&status.log), escaped(&status.store));
                let _ = writeln!(text, "binlog_ship_{name}{{log=\"{log}\",store=\"{store}\"}} {value:.decimals$}");
            }
        }
    }
    text
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_appears_once_with_its_help_and_type_and_a_line_for_each_log() {
        let status = |log: &str| ShipStatus {
            log: log.to_owned(),
            store: "s3://bucket/a".to_owned(),
            waiting_segments: 2,
            waiting_bytes: 5_000_000_000,
            oldest_waiting: Some(Duration::from_millis(1500)),
            last_upload: Some(1_700_000_000_500_000_000),
            ..ShipStatus::default()
        };
        let text = ship_metrics(&[status("orders"), status("a \"b\"\\\n")]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            assert!(name.starts_with("binlog_ship_") && name.ends_with("\",store=\"s3://bucket/a\"}"), "{line}");
        }
        for name in METRICS.map(|(name, ..)| name) {
            assert_eq!(text.matches(&format!("# TYPE binlog_ship_{name} ")).count(), 1);
            assert_eq!(text.matches(&format!("# HELP binlog_ship_{name} ")).count(), 1);
        }
        let orders = "{log=\"orders\",store=\"s3://bucket/a\"}";
        assert!(text.contains(&format!("binlog_ship_waiting_bytes{orders} 5000000000\n")), "{text}");
        assert!(text.contains(&format!("binlog_ship_oldest_waiting_seconds{orders} 1.500\n")), "{text}");
        let upload = format!("binlog_ship_last_upload_timestamp_seconds{orders} 1700000000.500\n");
        assert!(text.contains(&upload), "{text}");
        assert!(text.contains("{log=\"a \\\"b\\\"\\\\\\n\","), "{text}");
        assert!(!text.contains("binlog_ship_last_failure_timestamp_seconds{"), "nothing has failed");
    }
}
