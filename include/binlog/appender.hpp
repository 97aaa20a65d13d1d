/* Part of binlog.hpp: writing a log faster, from one thread, without ids. */
#ifndef BINLOG_APPENDER_HPP
#define BINLOG_APPENDER_HPP

#include "writer.hpp"

namespace binlog {

/* What is left at zero takes the library's default, see binlog.h. */
struct appender_options {
  std::uint64_t hand_over_bytes = 0;
};

/* Appends to the log of a writer from one thread at a time, without a lock: records are staged in the appender's memory, and
   get their ids when that is handed over. binlog_appender_open in binlog.h says when that is, and what a crash costs. */
class appender {
 public:
  /* An empty appender, to move another one into. */
  appender() = default;

  /* Any number of appenders can be open on one writer. They may be closed before or after it. */
  static result<appender> try_open(writer& w, const appender_options& options = {}) {
    binlog_appender_options c{};
    c.struct_size = sizeof c;
    c.hand_over_bytes = options.hand_over_bytes;
    binlog_appender* a = nullptr;
    binlog_error* err = nullptr;
    const auto status = binlog_appender_open(w.raw(), &c, &a, &err);
    return detail::answer(status, err, appender(a));
  }
  static appender open(writer& w, const appender_options& options = {}) { return try_open(w, options).value(); }

  explicit operator bool() const noexcept { return raw_ != nullptr; }
  binlog_appender* raw() const noexcept { return raw_.get(); }

  /* Each append returns whether the record was taken; it was not when full_disk::drop dropped it. */
  result<bool> try_append(std::uint32_t type, slice data) {
    binlog_error* err = nullptr;
    const auto status = binlog_appender_append(raw(), type, data.data(), data.size(), &err);
    return detail::answer(status, err, status == BINLOG_OK);
  }
  bool append(std::uint32_t type, slice data) { return try_append(type, data).value(); }

  result<bool> try_append(const record& r) {
    binlog_error* err = nullptr;
    const binlog_record raw_record = r.raw();
    const auto status = binlog_appender_append_record(raw(), &raw_record, &err);
    return detail::answer(status, err, status == BINLOG_OK);
  }
  bool append(const record& r) { return try_append(r).value(); }

  /* One record from many parts. `head` gives type, time and metadata; its data stays empty. */
  result<bool> try_gather(const record& head, span<const slice> parts) {
    binlog_error* err = nullptr;
    const binlog_record raw_record = head.raw();
    const binlog_slice* raw_parts = parts.empty() ? nullptr : &parts.data()->raw();
    const auto status = binlog_appender_gather_record(raw(), &raw_record, raw_parts, parts.size(), &err);
    return detail::answer(status, err, status == BINLOG_OK);
  }
  bool gather(const record& head, span<const slice> parts) { return try_gather(head, parts).value(); }
  bool gather(std::uint32_t type, span<const slice> parts) { return gather(record{type}, parts); }
  bool gather(const record& head, std::initializer_list<slice> parts) {
    return gather(head, span<const slice>(parts.begin(), parts.size()));
  }
  bool gather(std::uint32_t type, std::initializer_list<slice> parts) { return gather(record{type}, parts); }

  /* All of the records or none, also after a crash. */
  result<bool> try_append_batch(const batch& records) {
    binlog_error* err = nullptr;
    const auto status = binlog_appender_append_batch(raw(), records.raw(), records.size(), &err);
    return detail::answer(status, err, status == BINLOG_OK);
  }
  bool append_batch(const batch& records) { return try_append_batch(records).value(); }

  result<bool> try_append_packed(const packed_view& frames) {
    binlog_error* err = nullptr;
    const slice bytes = frames.frames();
    const auto status = binlog_appender_append_packed(raw(), bytes.data(), bytes.size(), &err);
    return detail::answer(status, err, status == BINLOG_OK);
  }
  bool append_packed(const packed_view& frames) { return try_append_packed(frames).value(); }

  /* To the system: survives this process. Returns the id of this appender's last record, 0 if there is none. */
  result<std::uint64_t> try_flush() {
    std::uint64_t last_id = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_appender_flush(raw(), &last_id, &err);
    return detail::answer(status, err, last_id);
  }
  std::uint64_t flush() { return try_flush().value(); }

  /* As flush, and the appender is empty afterwards whatever happened. Closing twice is fine, and so is closing after the
     writer, which has collected what was staged. */
  result<std::uint64_t> try_close() {
    std::uint64_t last_id = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_appender_close(raw_.release(), &last_id, &err);
    return detail::answer(status, err, last_id);
  }
  std::uint64_t close() { return try_close().value(); }

 private:
  struct closer {
    void operator()(binlog_appender* a) const noexcept {
      const binlog_status status = binlog_appender_close(a, nullptr, nullptr);
      static_cast<void>(status); /* a destructor has nobody to report it to */
    }
  };
  explicit appender(binlog_appender* raw) noexcept : raw_(raw) {}
  std::unique_ptr<binlog_appender, closer> raw_;
};

}  // namespace binlog
#endif
