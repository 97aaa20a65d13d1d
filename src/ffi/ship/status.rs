//! Converts the progress of shipping to the struct of the C interface.

use std::ffi::CString;

use super::types::*;
use crate::ffi::error::c_string;
use crate::shipping::{ShipState, ShipStatus};

/// The strings of a status.
pub(in crate::ffi) struct ShipStrings {
    log: CString,
    store: CString,
}

impl ShipStrings {
    pub fn of(status: &ShipStatus) -> Self {
        ShipStrings { log: c_string(status.log.as_bytes()), store: c_string(status.store.as_bytes()) }
    }
}

pub(super) fn status_of(status: &ShipStatus, strings: &ShipStrings) -> binlog_ship_status {
    let oldest = status.oldest_waiting.map_or(0, |ago| i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX));
    binlog_ship_status {
        log: strings.log.as_ptr(),
        store: strings.store.as_ptr(),
        state: match status.state {
            ShipState::Idle => BINLOG_SHIP_IDLE,
            ShipState::Working => BINLOG_SHIP_WORKING,
            ShipState::Waiting => BINLOG_SHIP_WAITING,
        },
        reserved32: 0,
        waiting_segments: status.waiting_segments,
        waiting_bytes: status.waiting_bytes,
        oldest_waiting_ns: oldest,
        uploaded_segments: status.uploaded_segments,
        uploaded_bytes: status.uploaded_bytes,
        sent_bytes: status.sent_bytes,
        pruned_segments: status.pruned_segments,
        failures: status.failures,
        last_failure_ns: status.last_failure.as_ref().map_or(0, |(_, when)| *when),
        last_upload_ns: status.last_upload.unwrap_or(0),
        shipped_up_to: status.shipped_up_to,
        damaged_segments: status.damaged_segments,
        missing_segments: status.missing_segments,
        reserved: [0; 6],
    }
}
