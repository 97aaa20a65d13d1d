/* binlog.hpp: the C++17 face of binlog.h. Header only; link with -lbinlog.

   Two ways to hear of errors, the same everywhere: `x()` throws binlog::error, `try_x()` returns a binlog::result that
   holds either the value or the error (and throws nothing but std::bad_alloc). The end of a log is not an error.
   A function that is told of losses may throw what it likes: see loss_function.

   Ownership: writer, reader and cursor own their handle, move and never copy; a moved-from or closed one answers every
   call with BINLOG_E_INVALID. They may be destroyed in any order. A destructor cannot report a failed close: call
   writer::close() where that matters.
   Views: slice, record, batch, metadata_view, packed_view and record_view own no memory. What goes in must live until
   the call returns (for a batch: until it was appended); what a cursor gives lives until that cursor's next call.
   Threads: a writer and a reader may be used by many threads at once, but closed, moved or destroyed by one, after the
   others are done. A cursor belongs to one thread at a time.
   Units: times are nanoseconds since 1970-01-01 UTC, sizes are bytes, ids count records from 1. */
#ifndef BINLOG_HPP
#define BINLOG_HPP

#include "binlog.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

namespace binlog {

#if __cplusplus >= 202002L
template <class T>
using span = std::span<T>;
#else
/* As much of std::span as this header needs. */
template <class T>
class span {
 public:
  constexpr span() noexcept = default;
  constexpr span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <class C, class P = decltype(std::data(std::declval<C&>())),
            class = std::enable_if_t<std::is_convertible_v<std::remove_pointer_t<P> (*)[], T (*)[]>>>
  constexpr span(C&& items) noexcept : data_(std::data(items)), size_(std::size(items)) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr T& operator[](std::size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};
#endif

using position = binlog_position; /* ids: appended, flushed (survives the process), durable (survives the machine) */
using tail = binlog_tail;         /* state is one of BINLOG_TAIL_*; its strings live until the cursor's next call */
using segment = binlog_segment;   /* its strings live as long as the reader */

/* ---------------------------------------------------------------- errors */

class error : public std::runtime_error {
 public:
  /* Takes `raw` over; it may be null. */
  error(binlog_status status, binlog_error* raw)
      : std::runtime_error(raw ? binlog_error_message(raw) : binlog_status_name(status)),
        status_(status), raw_(raw, binlog_error_free) {}

  binlog_status status() const noexcept { return status_; } /* one of BINLOG_E_* */
  int os_code() const noexcept { return raw_ ? binlog_error_os_code(raw_.get()) : 0; } /* errno, or 0 */
  const char* path() const noexcept { return raw_ ? binlog_error_path(raw_.get()) : ""; }
  std::int64_t offset() const noexcept { return raw_ ? binlog_error_offset(raw_.get()) : -1; } /* in path(), or -1 */
  /* Id of a record that was taken although the call failed, or 0. */
  std::uint64_t record_id() const noexcept { return raw_ ? binlog_error_record_id(raw_.get()) : 0; }

 private:
  binlog_status status_;
  std::shared_ptr<binlog_error> raw_; /* shared, so that copying an exception cannot throw */
};

/* A value or an error: a small std::expected. */
template <class T>
class result {
 public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(binlog::error problem) : state_(std::in_place_index<1>, std::move(problem)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  binlog_status status() const noexcept { return has_value() ? BINLOG_OK : error().status(); }
  const binlog::error& error() const noexcept { return *std::get_if<1>(&state_); } /* only without a value */

  T& value() & { return need(), *std::get_if<0>(&state_); } /* throws the error when there is no value */
  const T& value() const& { return need(), *std::get_if<0>(&state_); }
  T value() && { return need(), std::move(*std::get_if<0>(&state_)); }
  T& operator*() noexcept { return *std::get_if<0>(&state_); } /* only with a value */
  const T& operator*() const noexcept { return *std::get_if<0>(&state_); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

 private:
  void need() const {
    if (!has_value()) throw error();
  }
  std::variant<T, binlog::error> state_;
};

template <>
class result<void> {
 public:
  result() = default;
  result(binlog::error problem) : error_(std::move(problem)) {}

  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  binlog_status status() const noexcept { return error_ ? error_->status() : BINLOG_OK; }
  const binlog::error& error() const noexcept { return *error_; }
  void value() const {
    if (error_) throw *error_;
  }

 private:
  std::optional<binlog::error> error_;
};

namespace detail {
template <class T>
result<T> answer(binlog_status status, binlog_error* err, T value) {
  if (status < 0) return error(status, err);
  return value;
}
inline result<void> answer(binlog_status status, binlog_error* err) {
  if (status < 0) return error(status, err);
  return {};
}

/* Iterates over anything that can say what comes next: `source(item)` is false at the end and throws on errors. */
template <class Source, class T>
class pull_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using pointer = const T*;
  using reference = const T&;

  pull_iterator() = default; /* the end */
  explicit pull_iterator(Source source) : source_(source) { ++*this; }
  reference operator*() const noexcept { return item_; }
  pointer operator->() const noexcept { return &item_; }
  pull_iterator& operator++() {
    more_ = source_(item_);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const pull_iterator& a, const pull_iterator& b) noexcept { return a.more_ == b.more_; }
  friend bool operator!=(const pull_iterator& a, const pull_iterator& b) noexcept { return !(a == b); }

 private:
  Source source_{};
  T item_{};
  bool more_ = false;
};
}  // namespace detail

/* ---------------------------------------------------------------- what goes into a log */

/* Bytes somewhere else: made from anything text-like (std::string, string_view, a literal without its NUL) and any
   contiguous container of one-byte elements. The same memory as a binlog_slice. */
class slice {
 public:
  constexpr slice() noexcept : raw_{nullptr, 0} {}
  slice(const void* data, std::size_t size) noexcept : raw_{static_cast<const std::uint8_t*>(data), size} {}
  template <class T, std::enable_if_t<std::is_convertible_v<const T&, std::string_view>, int> = 0>
  slice(const T& text) noexcept : slice(std::string_view(text).data(), std::string_view(text).size()) {}
  template <class T, std::enable_if_t<!std::is_convertible_v<const T&, std::string_view> &&
                                          sizeof(*std::data(std::declval<const T&>())) == 1, int> = 0>
  slice(const T& bytes) noexcept : slice(std::data(bytes), std::size(bytes)) {}

  const std::uint8_t* data() const noexcept { return raw_.data; }
  std::size_t size() const noexcept { return raw_.len; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(raw_.data), raw_.len}; }
  const binlog_slice& raw() const noexcept { return raw_; }

 private:
  binlog_slice raw_;
};
static_assert(sizeof(slice) == sizeof(binlog_slice) && std::is_standard_layout_v<slice>, "arrays of slices go to C");

/* A record's metadata: pairs of UTF-8 texts, to iterate over or search. */
class metadata_view {
 public:
  using value_type = std::pair<std::string_view, std::string_view>;

  struct source {
    binlog_slice rest{nullptr, 0};
    bool operator()(value_type& pair) {
      binlog_slice key{}, value{};
      const auto status = binlog_metadata_next(&rest.data, &rest.len, &key, &value);
      if (status < 0) throw error(status, nullptr); /* no metadata at all; a cursor's always is */
      pair = {slice(key.data, key.len).text(), slice(value.data, value.len).text()};
      return status == BINLOG_OK;
    }
  };
  using iterator = detail::pull_iterator<source, value_type>;

  metadata_view() = default;
  explicit metadata_view(slice encoded) noexcept : encoded_(encoded) {}
  iterator begin() const { return iterator(source{encoded_.raw()}); }
  iterator end() const noexcept { return {}; }
  bool empty() const noexcept { return encoded_.size() == 0; }
  slice encoded() const noexcept { return encoded_; }
  /* The first pair's value with this key. */
  std::optional<std::string_view> find(std::string_view key) const {
    binlog_slice value{};
    const auto status = binlog_metadata_find(encoded_.data(), encoded_.size(), key.data(), key.size(), &value);
    if (status == BINLOG_E_NOT_FOUND) return std::nullopt;
    if (status < 0) throw error(status, nullptr);
    return slice(value.data, value.len).text();
  }

 private:
  slice encoded_;
};

/* Builds metadata; owns its bytes, so it must outlive the append it is given to. */
class metadata {
 public:
  metadata() = default;
  metadata(std::initializer_list<metadata_view::value_type> pairs) {
    for (const auto& [key, value] : pairs) add(key, value);
  }
  result<void> try_add(std::string_view key, std::string_view value) {
    const std::size_t two_varints = 20;
    std::size_t used = bytes_.size();
    bytes_.resize(used + key.size() + value.size() + two_varints);
    const auto status = binlog_metadata_put(bytes_.data(), bytes_.size(), &used, key.data(), key.size(), value.data(),
                                            value.size());
    bytes_.resize(used);
    return detail::answer(status, nullptr);
  }
  metadata& add(std::string_view key, std::string_view value) {
    try_add(key, value).value();
    return *this;
  }
  void clear() noexcept { bytes_.clear(); }
  metadata_view view() const noexcept { return metadata_view(slice(bytes_)); }
  operator metadata_view() const noexcept { return view(); }

 private:
  std::vector<std::uint8_t> bytes_;
};

/* One record to write. */
struct record {
  std::uint32_t type = 0;                 /* below BINLOG_TYPE_NAMED, or a number from writer::type */
  slice data{};                           /* the payload */
  metadata_view metadata{};
  std::optional<std::int64_t> time_ns{};  /* none: the time of the call */

  binlog_record raw() const noexcept {
    binlog_record r{};
    r.type = type;
    r.data = data.data();
    r.len = data.size();
    r.metadata = metadata.encoded().data();
    r.metadata_len = metadata.encoded().size();
    r.time_ns = time_ns.value_or(0);
    r.flags = time_ns ? std::uint32_t{BINLOG_RECORD_TIME} : 0u;
    return r;
  }
};

/* Records to append together; keeps views, not payloads. */
class batch {
 public:
  batch() = default;
  batch(std::initializer_list<record> records) {
    for (const record& r : records) add(r);
  }
  batch& add(const record& r) { return raw_.push_back(r.raw()), *this; }
  batch& add(std::uint32_t type, slice data) { return add(record{type, data}); }
  void clear() noexcept { raw_.clear(); }
  std::size_t size() const noexcept { return raw_.size(); }
  const binlog_record* raw() const noexcept { return raw_.data(); }

 private:
  std::vector<binlog_record> raw_;
};

/* ---------------------------------------------------------------- what comes out of a log */

/* One record of a cursor or of packed frames. */
class record_view {
 public:
  record_view() noexcept : raw_{} {}
  explicit record_view(const binlog_record& raw) noexcept : raw_(raw) {}

  std::uint64_t id() const noexcept { return raw_.id; }
  std::uint32_t type() const noexcept { return raw_.type; }
  std::int64_t time_ns() const noexcept { return raw_.time_ns; }
  std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds> time() const noexcept {
    return std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>(
        std::chrono::nanoseconds(raw_.time_ns));
  }
  std::size_t size() const noexcept { return raw_.len; } /* of the payload, with headers_only too */
  bool has_payload() const noexcept { return (raw_.flags & BINLOG_RECORD_NO_PAYLOAD) == 0; }
  bool is_event() const noexcept { return (raw_.flags & BINLOG_RECORD_EVENT) != 0; }
  /* Both are empty without a payload. */
  span<const std::uint8_t> bytes() const noexcept { return {raw_.data, has_payload() ? raw_.len : 0}; }
  std::string_view text() const noexcept { return slice(raw_.data, has_payload() ? raw_.len : 0).text(); }
  metadata_view metadata() const noexcept { return metadata_view(slice(raw_.metadata, raw_.metadata_len)); }
  const binlog_record& raw() const noexcept { return raw_; }

 private:
  friend class cursor;
  binlog_record raw_;
};
static_assert(sizeof(record_view) == sizeof(binlog_record) && std::is_standard_layout_v<record_view>,
              "arrays of record views are filled by C");

/* Frames in memory, read-only: iterate for the records in them. */
class packed_view {
 public:
  struct source {
    binlog_slice rest{nullptr, 0};
    bool operator()(record_view& r) {
      binlog_record raw{};
      const auto status = binlog_packed_next(&rest.data, &rest.len, &raw);
      if (status < 0) throw error(status, nullptr); /* no frames */
      r = record_view(raw);
      return status == BINLOG_OK;
    }
  };
  using iterator = detail::pull_iterator<source, record_view>;

  packed_view() = default;
  explicit packed_view(slice frames) noexcept : frames_(frames) {}
  iterator begin() const { return iterator(source{frames_.raw()}); }
  iterator end() const noexcept { return {}; }
  bool empty() const noexcept { return frames_.size() == 0; }
  slice frames() const noexcept { return frames_; }

 private:
  slice frames_;
};

/* Frames in memory that this object owns: copies what is added. */
class packed {
 public:
  result<void> try_add(const record& r) {
    const std::size_t header_and_padding = 48;
    std::size_t used = bytes_.size();
    bytes_.resize(used + r.data.size() + r.metadata.encoded().size() + header_and_padding);
    const binlog_record raw = r.raw();
    const auto status = binlog_packed_put(bytes_.data(), bytes_.size(), &used, &raw);
    bytes_.resize(used);
    return detail::answer(status, nullptr);
  }
  packed& add(const record& r) { return try_add(r).value(), *this; }
  void clear() noexcept { bytes_.clear(); }
  packed_view view() const noexcept { return packed_view(slice(bytes_)); }
  operator packed_view() const noexcept { return view(); }

 private:
  std::vector<std::uint8_t> bytes_;
};

/* ---------------------------------------------------------------- writer */

enum class codec : std::uint32_t { none = BINLOG_CODEC_NONE, lz4 = BINLOG_CODEC_LZ4, zstd = BINLOG_CODEC_ZSTD };

/* What is done when the disk, the quota or the file size limit is full: fail with BINLOG_E_NO_SPACE, wait for space, or
   drop what finds no room: the append returns the id 0, and writer::dropped counts. */
enum class full_disk : std::uint32_t {
  fail = BINLOG_FULL_DISK_FAIL,
  wait = BINLOG_FULL_DISK_WAIT,
  drop = BINLOG_FULL_DISK_DROP
};

/* For the intervals below: this rule never fires. */
inline constexpr std::chrono::milliseconds never = std::chrono::milliseconds::max();

/* What is left at zero or empty takes the library's default, which binlog.h tells. */
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
  std::uint64_t record_max_bytes = 0;
  std::uint64_t flush_records = 0; /* 0: no such rule, as in the three after it */
  std::uint64_t flush_bytes = 0;
  std::uint64_t sync_records = 0;
  std::uint64_t sync_bytes = 0;
  std::chrono::milliseconds flush_interval{0}; /* 0: 1 s */
  std::chrono::milliseconds sync_interval{0};  /* 0: never */
  std::uint32_t file_mode = 0;
  binlog::full_disk full_disk = binlog::full_disk::fail;
  std::chrono::milliseconds full_disk_wait{0}; /* with full_disk::wait, a call's patience; 0: for ever */
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
    const char* content = content_type.empty() ? nullptr : content_type.c_str();
    const auto status = binlog_writer_type(raw(), name.c_str(), content, &number, &err);
    return detail::answer(status, err, number);
  }
  std::uint32_t type(const std::string& name, const std::string& content_type = {}) {
    return try_type(name, content_type).value();
  }

  result<void> try_flush() { return call(binlog_writer_flush); } /* to the system: survives this process */
  void flush() { try_flush().value(); }
  result<void> try_sync() { return call(binlog_writer_sync); } /* to the disk: survives the machine */
  void sync() { try_sync().value(); }
  result<void> try_tick() { return call(binlog_writer_tick); } /* does what the intervals ask for by now */
  void tick() { try_tick().value(); }
  result<void> try_roll() { return call(binlog_writer_roll); } /* begins the next segment */
  void roll() { try_roll().value(); }

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

  /* Writes what is left and closes; the writer is empty afterwards whatever happened. Closing twice is fine. */
  result<void> try_close() {
    binlog_error* err = nullptr;
    const auto status = binlog_writer_close(raw_.release(), &err);
    return detail::answer(status, err);
  }
  void close() { try_close().value(); }

 private:
  struct closer {
    void operator()(binlog_writer* w) const noexcept { binlog_writer_close(w, nullptr); }
  };
  explicit writer(binlog_writer* raw) noexcept : raw_(raw) {}

  template <class Open>
  static result<writer> open_with(Open open_c, const std::string& where, const writer_options& o) {
    std::vector<const char*> parameters;
    for (const auto& [key, value] : o.parameters) parameters.insert(parameters.end(), {key.c_str(), value.c_str()});
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
    c.record_max_bytes = o.record_max_bytes;
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
    binlog_writer* w = nullptr;
    binlog_error* err = nullptr;
    const auto status = open_c(where.c_str(), &c, &w, &err);
    return detail::answer(status, err, writer(w));
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
  std::unique_ptr<binlog_writer, closer> raw_;
};

/* ---------------------------------------------------------------- losses */

using loss = binlog_loss; /* something that could not be read; its strings live until the function returns */

/* Is told of each loss, in the thread that reads, before what lies behind it is shown. It must not use the cursor or the
   reader that it is told by; cursors in several threads call it at the same time. It lives until the reader and all its
   cursors are closed. An exception that it throws does not pass through C: the call goes on to its end, without calling
   it again, and then throws the exception out of the call it happened in, a try_ one too. What that call was to return
   is lost with it: a cursor's next call goes on behind those records, and a recovery is complete. */
using loss_function = std::function<void(const loss&)>;

namespace detail {
/* Keeps what a loss_function throws from C, and for the call it happened in. */
class loss_listener {
 public:
  explicit loss_listener(loss_function told) : told_(std::move(told)) {}

  /* One call into C by this thread. Does nothing without a listener. */
  class call {
   public:
    explicit call(loss_listener* listener) : listener_(listener) {
      if (!listener_) return;
      const std::lock_guard<std::mutex> lock(listener_->calls_lock_);
      outer_ = std::exchange(listener_->calls_, this);
    }
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    ~call() {
      if (!listener_) return;
      const std::lock_guard<std::mutex> lock(listener_->calls_lock_);
      call** place = &listener_->calls_;
      while (*place != this) place = &(*place)->outer_;
      *place = outer_;
    }
    void rethrow() const {
      if (thrown_) std::rethrow_exception(thrown_);
    }

   private:
    friend class loss_listener;
    loss_listener* listener_;
    call* outer_ = nullptr;
    std::thread::id thread_ = std::this_thread::get_id();
    std::exception_ptr thrown_;
  };

  void tell(const loss& what) noexcept {
    call* const here = call_of_this_thread();
    if (!here) return told_(what); /* somebody uses raw(): then it must not throw */
    if (here->thrown_) return;
    try {
      told_(what);
    } catch (...) {
      here->thrown_ = std::current_exception();
    }
  }

 private:
  call* call_of_this_thread() noexcept {
    const std::lock_guard<std::mutex> lock(calls_lock_);
    call* found = calls_; /* the latest */
    while (found && found->thread_ != std::this_thread::get_id()) found = found->outer_;
    return found;
  }

  loss_function told_;
  std::mutex calls_lock_;
  call* calls_ = nullptr;
};
}  // namespace detail

/* ---------------------------------------------------------------- cursor and reader */

/* Everything left at its default lets every record of the user pass. */
struct filter {
  bool headers_only = false; /* ids, times, types, sizes, metadata; the payloads' bytes are never touched */
  bool events = false;       /* the library's own records too */
  std::uint64_t from_id = 0; /* inclusive, both; 0: open */
  std::uint64_t to_id = 0;
  std::int64_t from_time_ns = 0; /* inclusive; 0: open */
  std::int64_t to_time_ns = 0;   /* exclusive; 0: open */
  std::vector<std::uint32_t> types{}; /* types and type_names both empty: every type */
  std::vector<std::string> type_names{};
  std::vector<std::pair<std::string, std::string>> metadata{}; /* with each of these pairs */
  std::uint64_t last = 0;    /* only the last so many of what the rest lets pass, in the same order; 0: all */
  bool newest_first = false; /* what is appended later is not shown; not when salvaging */
};

/* Where reading is. Iterating goes on to the end; iterating again, later, goes on with what was written since. */
class cursor {
 public:
  struct source {
    cursor* owner = nullptr;
    bool operator()(record_view& r) {
      const auto found = owner->next();
      if (found) r = *found;
      return found.has_value();
    }
  };
  using iterator = detail::pull_iterator<source, record_view>;

  cursor() = default;
  explicit operator bool() const noexcept { return raw_ != nullptr; }
  binlog_cursor* raw() const noexcept { return raw_.get(); }
  void close() noexcept { raw_.reset(), listener_.reset(); }

  iterator begin() { return iterator(source{this}); }
  iterator end() noexcept { return {}; }

  /* Nothing at the end of the log. */
  result<std::optional<record_view>> try_next() {
    record_view r;
    binlog_error* err = nullptr;
    const detail::loss_listener::call here(listener_.get());
    const auto status = binlog_cursor_next(raw(), &r.raw_, &err);
    auto answer = detail::answer(status, err, status == BINLOG_OK ? std::optional(r) : std::nullopt);
    return here.rethrow(), answer;
  }
  std::optional<record_view> next() { return try_next().value(); }

  /* The record with this id, wherever the cursor is; reading goes on behind it. Nothing when the log has no such record
     or the filter does not let it pass. BINLOG_E_UNSUPPORTED with newest_first and when salvaging, as the two below. */
  result<std::optional<record_view>> try_get(std::uint64_t id) {
    record_view r;
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_get(raw(), id, &r.raw_, &err);
    if (status == BINLOG_E_NOT_FOUND) return binlog_error_free(err), std::optional<record_view>();
    return detail::answer(status, err, std::optional(r));
  }
  std::optional<record_view> get(std::uint64_t id) { return try_get(id).value(); }

  /* Goes to the record with this id, or to the first behind it that the filter lets pass. */
  result<void> try_seek(std::uint64_t id) {
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_seek(raw(), id, &err);
    return detail::answer(status, err);
  }
  void seek(std::uint64_t id) { try_seek(id).value(); }

  /* Goes to the first record of this time or later; earlier ones are not shown from there on. */
  result<void> try_seek_time(std::int64_t time_ns) {
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_seek_time(raw(), time_ns, &err);
    return detail::answer(status, err);
  }
  void seek_time(std::int64_t time_ns) { try_seek_time(time_ns).value(); }

  /* Fills the front of `room` and returns that part: empty at the end of the log. */
  result<span<record_view>> try_next_batch(span<record_view> room) {
    std::size_t n = 0;
    binlog_error* err = nullptr;
    binlog_record* out = room.empty() ? nullptr : &room.data()->raw_;
    const detail::loss_listener::call here(listener_.get());
    const auto status = binlog_cursor_next_batch(raw(), out, room.size(), &n, &err);
    auto answer = detail::answer(status, err, span<record_view>(room.data(), n));
    return here.rethrow(), answer;
  }
  span<record_view> next_batch(span<record_view> room) { return try_next_batch(room).value(); }

  /* Copies records as frames into `room`, which outlives the cursor's next call: empty at the end of the log.
     BINLOG_E_TOO_LARGE when not even the next record fits. */
  result<packed_view> try_read_packed(span<std::uint8_t> room) {
    std::size_t len = 0, n = 0;
    binlog_error* err = nullptr;
    const detail::loss_listener::call here(listener_.get());
    const auto status = binlog_cursor_read_packed(raw(), room.data(), room.size(), &len, &n, &err);
    auto answer = detail::answer(status, err, packed_view(slice(room.data(), len)));
    return here.rethrow(), answer;
  }
  packed_view read_packed(span<std::uint8_t> room) { return try_read_packed(room).value(); }

  result<binlog::tail> try_tail() {
    binlog::tail t{};
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_tail(raw(), &t, &err);
    return detail::answer(status, err, t);
  }
  binlog::tail tail() { return try_tail().value(); }

  /* The name of a type that has one, until the cursor's next call. */
  result<std::string_view> try_type_name(std::uint32_t type) const {
    binlog_slice name{};
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_type_name(raw(), type, &name, &err);
    return detail::answer(status, err, slice(name.data, name.len).text());
  }
  std::string_view type_name(std::uint32_t type) const { return try_type_name(type).value(); }

 private:
  friend class reader;
  struct closer {
    void operator()(binlog_cursor* c) const noexcept { binlog_cursor_close(c); }
  };
  cursor(binlog_cursor* raw, std::shared_ptr<detail::loss_listener> listener) noexcept
      : listener_(std::move(listener)), raw_(raw) {}
  std::shared_ptr<detail::loss_listener> listener_;
  std::unique_ptr<binlog_cursor, closer> raw_;
};

/* What a reader makes of damage: prefix stops there, and a torn tail is an end, of which tail() tells; for strict any bad
   byte is an error; salvage goes on behind damage, and tells on_loss. */
enum class reader_mode : std::uint32_t {
  prefix = BINLOG_READER_PREFIX,
  strict = BINLOG_READER_STRICT,
  salvage = BINLOG_READER_SALVAGE
};

struct reader_options {
  reader_mode mode = reader_mode::prefix;
  loss_function on_loss{}; /* may be empty */
};

/* How many records of a type a log holds. */
struct type_count {
  std::uint32_t type = 0;
  std::uint64_t records = 0;
  std::string name{}; /* empty when the type has none */
};

class reader {
 public:
  reader() = default;

  /* A file, a directory, or a pattern with * and ? */
  static result<reader> try_open(const std::string& path_or_glob, const reader_options& options = {}) {
    binlog_reader_options c{};
    c.struct_size = sizeof c;
    c.mode = static_cast<std::uint32_t>(options.mode);
    listener_ptr listener;
    std::unique_ptr<listener_ptr> kept_by_c; /* until it calls on_loss_drop, which it does however the call ends */
    if (options.on_loss) {
      listener = std::make_shared<detail::loss_listener>(options.on_loss);
      kept_by_c = std::make_unique<listener_ptr>(listener);
      c.on_loss = [](void* userdata, const binlog_loss* what) { (*static_cast<listener_ptr*>(userdata))->tell(*what); };
      c.on_loss_drop = [](void* userdata) { delete static_cast<listener_ptr*>(userdata); };
      c.on_loss_userdata = kept_by_c.get();
    }
    binlog_reader* r = nullptr;
    binlog_error* err = nullptr;
    kept_by_c.release();
    const auto status = binlog_reader_open(path_or_glob.c_str(), &c, &r, &err);
    return detail::answer(status, err, reader(r, std::move(listener)));
  }
  static reader open(const std::string& path_or_glob, const reader_options& options = {}) {
    return try_open(path_or_glob, options).value();
  }

  explicit operator bool() const noexcept { return raw_ != nullptr; }
  binlog_reader* raw() const noexcept { return raw_.get(); }
  void close() noexcept { raw_.reset(), listener_.reset(); }

  /* for (const binlog::record_view& r : reader.records()) ... */
  result<cursor> try_records(const filter& wanted = {}) const {
    std::vector<const char*> names, pairs;
    for (const std::string& name : wanted.type_names) names.push_back(name.c_str());
    for (const auto& [key, value] : wanted.metadata) pairs.insert(pairs.end(), {key.c_str(), value.c_str()});
    binlog_filter c{};
    c.struct_size = sizeof c;
    c.flags = (wanted.headers_only ? std::uint32_t{BINLOG_FILTER_HEADERS} : 0u) |
              (wanted.events ? std::uint32_t{BINLOG_FILTER_EVENTS} : 0u) |
              (wanted.newest_first ? std::uint32_t{BINLOG_FILTER_NEWEST_FIRST} : 0u);
    c.from_id = wanted.from_id;
    c.to_id = wanted.to_id;
    c.from_time_ns = wanted.from_time_ns;
    c.to_time_ns = wanted.to_time_ns;
    c.types = wanted.types.empty() ? nullptr : wanted.types.data();
    c.type_count = wanted.types.size();
    c.type_names = names.empty() ? nullptr : names.data();
    c.type_name_count = names.size();
    c.metadata = pairs.empty() ? nullptr : pairs.data();
    c.metadata_count = wanted.metadata.size();
    c.last = wanted.last;
    binlog_cursor* cur = nullptr;
    binlog_error* err = nullptr;
    const detail::loss_listener::call here(listener_.get());
    const auto status = binlog_cursor_open(raw(), &c, &cur, &err);
    auto answer = detail::answer(status, err, cursor(cur, listener_));
    return here.rethrow(), std::move(answer);
  }
  cursor records(const filter& wanted = {}) const { return try_records(wanted).value(); }

  result<std::vector<segment>> try_segments() const {
    std::size_t count = 0;
    binlog_error* err = nullptr;
    auto status = binlog_reader_segment_count(raw(), &count, &err);
    std::vector<segment> all(status < 0 ? 0 : count);
    for (std::size_t i = 0; status >= 0 && i < count; i++) status = binlog_reader_segment(raw(), i, &all[i], &err);
    return detail::answer(status, err, std::move(all));
  }
  std::vector<segment> segments() const { return try_segments().value(); }

  /* How many records of each type there are, the most frequent first; from the index, as far as it reaches. */
  result<std::vector<type_count>> try_counts() const {
    struct {
      std::vector<type_count> all;
      std::exception_ptr thrown; /* there was no memory for one */
    } counts;
    const auto add = [](void* userdata, const binlog_type_count* c) {
      auto& into = *static_cast<decltype(counts)*>(userdata);
      try {
        if (!into.thrown) into.all.push_back({c->type, c->records, c->name ? c->name : ""});
      } catch (...) {
        into.thrown = std::current_exception();
      }
    };
    binlog_error* err = nullptr;
    const auto status = binlog_reader_counts(raw(), add, &counts, &err);
    if (counts.thrown) std::rethrow_exception(counts.thrown);
    return detail::answer(status, err, std::move(counts.all));
  }
  std::vector<type_count> counts() const { return try_counts().value(); }

 private:
  using listener_ptr = std::shared_ptr<detail::loss_listener>;
  struct closer {
    void operator()(binlog_reader* r) const noexcept { binlog_reader_close(r); }
  };
  reader(binlog_reader* raw, listener_ptr listener) noexcept : listener_(std::move(listener)), raw_(raw) {}
  listener_ptr listener_;
  std::unique_ptr<binlog_reader, closer> raw_;
};

/* ---------------------------------------------------------------- recovery */

using recovery = binlog_recovery; /* records saved, records known to be lost, losses, segments written */

namespace detail {
template <class Recover>
result<recovery> recover(const loss_function& on_loss, Recover recover_c) {
  recovery sums{};
  binlog_error* err = nullptr;
  loss_listener listener(on_loss);
  const auto tell = [](void* userdata, const binlog_loss* what) { static_cast<loss_listener*>(userdata)->tell(*what); };
  const loss_listener::call here(&listener);
  const auto status = recover_c(on_loss ? static_cast<binlog_loss_callback>(tell) : nullptr, &listener, &sums, &err);
  auto answer = detail::answer(status, err, sums);
  return here.rethrow(), answer;
}
}  // namespace detail

/* Writes everything that can be read of the log at `source` (a file, a directory, a pattern) to a new log in the
   directory `target`. A loss is no error: the sums tell of it. */
inline result<recovery> try_recover(const std::string& source, const std::string& target,
                                    const loss_function& on_loss = {}) {
  return detail::recover(on_loss, [&](auto... rest) { return binlog_recover(source.c_str(), target.c_str(), rest...); });
}
inline recovery recover(const std::string& source, const std::string& target, const loss_function& on_loss = {}) {
  return try_recover(source, target, on_loss).value();
}

/* Writes the damaged segments of a log anew, in place; the damaged files are kept beside them. BINLOG_E_LOCKED while a
   writer has the log open. */
inline result<recovery> try_recover_in_place(const std::string& path, const loss_function& on_loss = {}) {
  return detail::recover(on_loss, [&](auto... rest) { return binlog_recover_in_place(path.c_str(), rest...); });
}
inline recovery recover_in_place(const std::string& path, const loss_function& on_loss = {}) {
  return try_recover_in_place(path, on_loss).value();
}

/* Completes the index of each segment that lacks a part of it, and returns how many were written to. */
inline result<std::size_t> try_rebuild_index(const std::string& path) {
  std::size_t written = 0;
  binlog_error* err = nullptr;
  const auto status = binlog_rebuild_index(path.c_str(), &written, &err);
  return detail::answer(status, err, written);
}
inline std::size_t rebuild_index(const std::string& path) { return try_rebuild_index(path).value(); }

inline const char* version() noexcept { return binlog_version(); }

}  // namespace binlog
#endif
