/* binlog.hpp: the C++17 face of binlog.h. Header only; link with -lbinlog.

   Two ways to hear of errors, the same everywhere: `x()` throws binlog::error, `try_x()` returns a binlog::result that
   holds either the value or the error (and throws nothing but std::bad_alloc). The end of a log is not an error.
   A function that is told of losses, of progress or of shipping, a hook and a check for rolling may throw what they like: see
   loss_function, progress_function, archive_function, hook and roll_check.

   Ownership: writer, reader, cursor and shipper own their handle, move and never copy; a moved-from or closed one answers every
   call with BINLOG_E_INVALID. They may be destroyed in any order. A destructor cannot report a failed close: call
   writer::close() where that matters.
   Views: slice, record, batch, metadata_view, packed_view and record_view own no memory. What goes in must live until
   the call returns (for a batch: until it was appended); what a cursor gives lives until that cursor's next call.
   Threads: a writer, a reader and a shipper may be used by many threads at once, but closed, moved or destroyed by one, after the
   others are done. A cursor belongs to one thread at a time.
   Units: times are nanoseconds since 1970-01-01 UTC, sizes are bytes, ids count records from 1. */
#ifndef BINLOG_HPP
#define BINLOG_HPP

#include "binlog.h"
#include "binlog/archive.hpp"
#include "binlog/compress.hpp"
#include "binlog/error.hpp"
#include "binlog/loss.hpp"
#include "binlog/reader.hpp"
#include "binlog/record.hpp"
#include "binlog/recovery.hpp"
#include "binlog/rolling.hpp"
#include "binlog/span.hpp"
#include "binlog/writer.hpp"

namespace binlog {

inline const char* version() noexcept { return binlog_version(); }

}  // namespace binlog
#endif
