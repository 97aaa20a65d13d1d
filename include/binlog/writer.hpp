/* Part of binlog.hpp: writing a log. */
#ifndef BINLOG_WRITER_HPP
#define BINLOG_WRITER_HPP

#include "ship.hpp"
#include "record.hpp"
#include "rolling.hpp"

#include <chrono>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace binlog {

using position = binlog_position; /* ids: appended, flushed (survives the process), durable (survives the machine) */

/* What is done when the disk, the quota or the file size limit is full: fail with BINLOG_E_NO_SPACE, wait for space, or
   drop what finds no room: the append returns the id 0, and writer::dropped counts. */
enum class full_disk : std::uint32_t {
  fail = BINLOG_FULL_DISK_FAIL,
  wait = BINLOG_FULL_DISK_WAIT,
  drop = BINLOG_FULL_DISK_DROP
};

/* For the intervals below: this rule never fires. */
inline constexpr std::chrono::milliseconds never = std::chrono::milliseconds::max();

/* What is left at zero or empty takes the library's default, see binlog.h. */
struct writer_options {
  bool background = false; /* one thread of the library encodes and writes */
  binlog::codec codec = binlog::codec::none;
  std::int32_t codec_level = 0;
  std::uint32_t block_bytes = 0;
  std::string name{};
  std::string content_type{};
  std::vector<std::pair<std::string, std::string>> parameters{};
  std::uint64_t segment_bytes = 0;
  std::uint64_t index_bytes = 0;
  std::uint64_t fill_ahead_bytes = 0; /* 0: 1 MiB where the policy syncs often; BINLOG_FILL_NEVER */
  std::uint64_t record_max_bytes = 0;
  std::uint64_t schema_bytes = 0; /* of all types of the log together; 0: 1 MiB */
  std::uint64_t flush_records = 0; /* 0: no such rule, as in the three after it */
  std::uint64_t flush_bytes = 0;
  std::uint64_t sync_records = 0;
  std::uint64_t sync_bytes = 0;
  std::chrono::milliseconds flush_interval{0}; /* 0: 1 s */
  std::chrono::milliseconds sync_interval{0};  /* 0: never */
  std::uint32_t file_mode = 0;
  binlog::full_disk full_disk = binlog::full_disk::fail;
  std::chrono::milliseconds full_disk_wait{0}; /* with full_disk::wait, a call's patience; 0: for ever */
  roll_options roll{};
  retention keep{};                         /* after each roll and when the log is opened */
  required require{};                       /* of a log that is there already */
  std::vector<hook> on_open{};              /* when a segment is begun, or written again */
  std::vector<hook> on_close{};             /* when a segment is closed and durable, the last one among them */
  failure_function on_failure{};            /* may be empty; writer::failures counts anyway */
  std::chrono::milliseconds heartbeat{0};   /* a BINLOG_EVENT_HEARTBEAT every so often; 0: never */
  std::string file_group{};                 /* name or number of the group that owns new files */
  std::optional<ship_options> ship{}; /* ships closed segments, in a thread of the library */
};

/* A type of records; all of it is the type's identity. */
struct type_options {
  std::string name{};         /* several types of a log may have the same */
  std::string content_type{}; /* a MIME type */
  std::string encoding{};     /* "protobuf", "jsonschema", "avro", "arrow", "json", "msgpack", "cbor", or any other */
  std::string message{};      /* of the schema */
  slice schema{};             /* at most 1 MiB; it needs an encoding */
};

class writer {
 public:
  /* An empty writer, to move another one into. */
  writer() = default;

  /* A log directory is made if it is not there; one writer at a time, the second gets BINLOG_E_LOCKED. */
  static result<writer> try_open(const std::string& directory, const writer_options& options = {}) {
    return open_with(binlog_writer_open, directory, options);
  }
  static writer open(const std::string& directory, const writer_options& options = {}) {
    return try_open(directory, options).value();
  }
  /* A log in a single file, which never rolls. */
  static result<writer> try_open_file(const std::string& path, const writer_options& options = {}) {
    return open_with(binlog_writer_open_file, path, options);
  }
  static writer open_file(const std::string& path, const writer_options& options = {}) {
    return try_open_file(path, options).value();
  }

  explicit operator bool() const noexcept { return raw_ != nullptr; }
  binlog_writer* raw() const noexcept { return raw_.get(); }

  /* Each append returns the record's id, for several records the first one's; 0 when full_disk::drop dropped them. */
  result<std::uint64_t> try_append(std::uint32_t type, slice data) {
    std::uint64_t id = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_writer_append(raw(), type, data.data(), data.size(), &id, &err);
    return detail::answer(status, err, id);
  }
  std::uint64_t append(std::uint32_t type, slice data) { return try_append(type, data).value(); }

  result<std::uint64_t> try_append(const record& r) {
    std::uint64_t id = 0;
    binlog_error* err = nullptr;
    const binlog_record raw_record = r.raw();
    const auto status = binlog_writer_append_record(raw(), &raw_record, &id, &err);
    return detail::answer(status, err, id);
  }
  std::uint64_t append(const record& r) { return try_append(r).value(); }

  /* One record from many parts. `head` gives type, time and metadata; its data stays empty. */
  result<std::uint64_t> try_gather(const record& head, span<const slice> parts) {
    std::uint64_t id = 0;
    binlog_error* err = nullptr;
    const binlog_record raw_record = head.raw();
    const binlog_slice* raw_parts = parts.empty() ? nullptr : &parts.data()->raw();
    const auto status = binlog_writer_gather_record(raw(), &raw_record, raw_parts, parts.size(), &id, &err);
    return detail::answer(status, err, id);
  }
  std::uint64_t gather(const record& head, span<const slice> parts) { return try_gather(head, parts).value(); }
  std::uint64_t gather(std::uint32_t type, span<const slice> parts) { return gather(record{type}, parts); }
  std::uint64_t gather(const record& head, std::initializer_list<slice> parts) {
    return gather(head, span<const slice>(parts.begin(), parts.size()));
  }
  std::uint64_t gather(std::uint32_t type, std::initializer_list<slice> parts) { return gather(record{type}, parts); }
  /* The parts are the container's elements: strings, vectors of bytes, whatever a slice is made from. */
  template <class Container, class = decltype(slice(*std::begin(std::declval<const Container&>()))),
            class = std::enable_if_t<!std::is_convertible_v<const Container&, span<const slice>>>>
  std::uint64_t gather(std::uint32_t type, const Container& parts) {
    const std::vector<slice> slices(std::begin(parts), std::end(parts));
    return gather(type, span<const slice>(slices.data(), slices.size()));
  }

  /* All of the records or none, also after a crash. An empty batch takes no id and returns the next one. */
  result<std::uint64_t> try_append_batch(const batch& records) {
    std::uint64_t first_id = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_writer_append_batch(raw(), records.raw(), records.size(), &first_id, &err);
    return detail::answer(status, err, first_id);
  }
  std::uint64_t append_batch(const batch& records) { return try_append_batch(records).value(); }

  result<std::uint64_t> try_append_packed(const packed_view& frames) {
    std::uint64_t first_id = 0;
    binlog_error* err = nullptr;
    const slice bytes = frames.frames();
    const auto status = binlog_writer_append_packed(raw(), bytes.data(), bytes.size(), &first_id, &err);
    return detail::answer(status, err, first_id);
  }
  std::uint64_t append_packed(const packed_view& frames) { return try_append_packed(frames).value(); }

  /* The number to write records of this name with; the same name gives the same number. */
  result<std::uint32_t> try_type(const std::string& name, const std::string& content_type = {}) {
    std::uint32_t number = 0;
    binlog_error* err = nullptr;
    if (auto refused = detail::nul_in({&name, &content_type})) return *refused;
    const char* content = content_type.empty() ? nullptr : content_type.c_str();
    const auto status = binlog_writer_type(raw(), name.c_str(), content, &number, &err);
    return detail::answer(status, err, number);
  }
  std::uint32_t type(const std::string& name, const std::string& content_type = {}) {
    return try_type(name, content_type).value();
  }

  /* The number to write records of this type with; another encoding, message or schema is another type. */
  result<std::uint32_t> try_type_of(const type_options& of) {
    if (auto refused = detail::nul_in({&of.name, &of.content_type, &of.encoding, &of.message})) return *refused;
    binlog_type_options c{};
    c.struct_size = sizeof c;
    c.name = of.name.c_str();
    c.content_type = of.content_type.c_str();
    c.encoding = of.encoding.c_str();
    c.message = of.message.c_str();
    c.schema = of.schema.data();
    c.schema_len = of.schema.size();
    std::uint32_t number = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_writer_type_of(raw(), &c, &number, &err);
    return detail::answer(status, err, number);
  }
  std::uint32_t type_of(const type_options& of) { return try_type_of(of).value(); }

  result<void> try_flush() { return call(binlog_writer_flush); } /* to the system: survives this process */
  void flush() { try_flush().value(); }
  result<void> try_sync() { return call(binlog_writer_sync); } /* to the disk: survives the machine */
  void sync() { try_sync().value(); }
  result<void> try_tick() { return call(binlog_writer_tick); } /* does what the intervals ask for by now */
  void tick() { try_tick().value(); }
  result<void> try_roll() { return call(binlog_writer_roll); } /* begins the next segment */
  void roll() { try_roll().value(); }
  /* Says why, in 1 to 256 bytes, which the hooks and the event BINLOG_EVENT_ROTATE_NEXT get. */
  result<void> try_roll(const std::string& reason) {
    if (auto refused = detail::nul_in({&reason})) return *refused;
    binlog_error* err = nullptr;
    const auto status = binlog_writer_roll_because(raw(), reason.c_str(), &err);
    return detail::answer(status, err);
  }
  void roll(const std::string& reason) { try_roll(reason).value(); }

  /* New rules and names, in place of writer_options::roll; a new segment begins with them at once. */
  result<void> try_set_roll(const roll_options& options) {
    if (auto refused = detail::nul_in(options)) return *refused;
    detail::c_roll_options c(options, on_failure_);
    binlog_error* err = nullptr;
    c.hand_over();
    const auto status = binlog_writer_set_roll(raw(), c.get(), &err);
    return detail::answer(status, err);
  }
  void set_roll(const roll_options& options) { try_set_roll(options).value(); }

  /* Shows readers now that the writer is alive. */
  result<void> try_heartbeat() { return call(binlog_writer_heartbeat); }
  void heartbeat() { try_heartbeat().value(); }

  result<binlog::position> try_position() const {
    binlog::position where{};
    binlog_error* err = nullptr;
    const auto status = binlog_writer_position(raw(), &where, &err);
    return detail::answer(status, err, where);
  }
  binlog::position position() const { return try_position().value(); }

  /* How many records full_disk::drop has dropped since the writer was opened. */
  result<std::uint64_t> try_dropped() const {
    std::uint64_t count = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_writer_dropped(raw(), &count, &err);
    return detail::answer(status, err, count);
  }
  std::uint64_t dropped() const { return try_dropped().value(); }

  /* How many times something beside the writing has failed, such as a hook or the removal of an old segment. */
  result<std::uint64_t> try_failures() const {
    std::uint64_t count = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_writer_failures(raw(), &count, &err);
    return detail::answer(status, err, count);
  }
  std::uint64_t failures() const { return try_failures().value(); }

  /* How far the shipping is that writer_options::ship has asked for; BINLOG_E_NOT_FOUND when it has not. */
  result<binlog::ship_status> try_ship_status() const {
    binlog::ship_status status{};
    binlog_error* err = nullptr;
    const auto done = binlog_writer_ship_status(raw(), &status, &err);
    return detail::answer(done, err, status);
  }
  binlog::ship_status ship_status() const { return try_ship_status().value(); }
  result<std::string> try_ship_metrics() const {
    return detail::text_of([this](auto... rest) { return binlog_writer_ship_metrics(raw(), rest...); });
  }
  std::string ship_metrics() const { return try_ship_metrics().value(); }
  std::optional<failure> ship_failure() const { return detail::failure_of(binlog_writer_ship_failure(raw())); }

  /* Writes what is left and closes; the writer is empty afterwards whatever happened. Closing twice is fine. A function that
     the writer has called (a hook, a check, on_failure) cannot close it: BINLOG_E_INVALID, and the writer stays open. */
  result<void> try_close() {
    binlog_error* err = nullptr;
    const auto status = binlog_writer_close(raw_.get(), &err);
    if (status != BINLOG_E_INVALID) raw_.release();
    return detail::answer(status, err);
  }
  void close() { try_close().value(); }

 private:
  struct closer {
    void operator()(binlog_writer* w) const noexcept {
      const binlog_status status = binlog_writer_close(w, nullptr);
      static_cast<void>(status); /* a destructor has nobody to report it to */
    }
  };
  writer(binlog_writer* raw, detail::shared_failure_function on_failure) noexcept
      : on_failure_(std::move(on_failure)), raw_(raw) {}

  template <class Open>
  static result<writer> open_with(Open open_c, const std::string& where, const writer_options& o) {
    if (auto refused = detail::nul_in({&where, &o.name, &o.content_type, &o.file_group})) return *refused;
    if (auto refused = detail::nul_in_pairs(o.parameters)) return *refused;
    if (auto refused = detail::nul_in(o.roll)) return *refused;
    if (auto refused = detail::nul_in(o.require)) return *refused;
    if (auto refused = detail::nul_in(o.on_open)) return *refused;
    if (auto refused = detail::nul_in(o.on_close)) return *refused;
    if (o.ship)
      if (auto refused = detail::nul_in(*o.ship)) return *refused;
    const auto parameters = detail::strings_of(o.parameters);
    binlog_writer_options c{};
    c.struct_size = sizeof c;
    c.flags = o.background ? std::uint32_t{BINLOG_WRITER_BACKGROUND} : 0u;
    c.codec = static_cast<std::uint32_t>(o.codec);
    c.codec_level = o.codec_level;
    c.block_bytes = o.block_bytes;
    c.name = o.name.empty() ? nullptr : o.name.c_str();
    c.content_type = o.content_type.empty() ? nullptr : o.content_type.c_str();
    c.parameters = parameters.empty() ? nullptr : parameters.data();
    c.parameter_count = o.parameters.size();
    c.segment_bytes = o.segment_bytes;
    c.index_bytes = o.index_bytes;
    c.fill_ahead_bytes = o.fill_ahead_bytes;
    c.record_max_bytes = o.record_max_bytes;
    c.schema_bytes = o.schema_bytes;
    c.flush_records = o.flush_records;
    c.flush_bytes = o.flush_bytes;
    c.sync_records = o.sync_records;
    c.sync_bytes = o.sync_bytes;
    c.flush_interval_ms = milliseconds(o.flush_interval);
    c.sync_interval_ms = milliseconds(o.sync_interval);
    c.file_mode = o.file_mode;
    c.full_disk = static_cast<std::uint32_t>(o.full_disk);
    const auto wait = o.full_disk_wait.count();
    c.full_disk_wait_ms = wait < 0 || o.full_disk_wait == never ? 0 : static_cast<std::uint64_t>(wait);
    c.heartbeat_ms = detail::count_of(o.heartbeat);
    c.file_group = detail::or_null(o.file_group);

    detail::shared_failure_function on_failure;
    detail::lent<detail::shared_failure_function> listener;
    if (o.on_failure) {
      on_failure = std::make_shared<const failure_function>(o.on_failure);
      listener = detail::lent<detail::shared_failure_function>(on_failure);
      c.on_failure = detail::tell_failure;
      c.on_failure_userdata = listener.get();
      c.on_failure_drop = detail::lent<detail::shared_failure_function>::drop;
    }
    detail::c_roll_options roll(o.roll, on_failure);
    const detail::c_retention keep(o.keep);
    const detail::c_required require(o.require);
    detail::c_hooks on_open(o.on_open), on_close(o.on_close);
    c.roll = roll.get();
    c.keep = keep.get();
    c.require = require.get();
    c.on_open = on_open.get();
    c.on_open_count = on_open.size();
    c.on_close = on_close.get();
    c.on_close_count = on_close.size();

    std::optional<detail::c_ship_options> ship;
    if (o.ship) ship.emplace(*o.ship);
    c.ship = ship ? ship->get() : nullptr;

    binlog_writer* w = nullptr;
    binlog_error* err = nullptr;
    roll.hand_over(), on_open.hand_over(), on_close.hand_over(), listener.hand_over();
    const auto status = open_c(where.c_str(), &c, &w, &err);
    return detail::answer(status, err, writer(w, std::move(on_failure)));
  }
  static std::uint32_t milliseconds(std::chrono::milliseconds interval) noexcept {
    const auto count = interval.count();
    if (count < 0 || count >= std::int64_t{BINLOG_NEVER}) return BINLOG_NEVER;
    return static_cast<std::uint32_t>(count);
  }
  result<void> call(binlog_status (*function)(binlog_writer*, binlog_error**)) {
    binlog_error* err = nullptr;
    const auto status = function(raw(), &err);
    return detail::answer(status, err);
  }
  detail::shared_failure_function on_failure_;
  std::unique_ptr<binlog_writer, closer> raw_;
};

}  // namespace binlog
#endif
