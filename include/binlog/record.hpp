/* Part of binlog.hpp: what goes into a log and what comes out of it. */
#ifndef BINLOG_RECORD_HPP
#define BINLOG_RECORD_HPP

#include "error.hpp"
#include "span.hpp"

#include <chrono>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <vector>

namespace binlog {

/* ---------------------------------------------------------------- what goes into a log */

/* Bytes somewhere else: made from anything text-like (std::string, string_view, a literal without its NUL) and any
   contiguous container of one-byte elements. The same memory as a binlog_slice. */
class slice {
 public:
  constexpr slice() noexcept : raw_{nullptr, 0} {}
  slice(const void* data, std::size_t size) noexcept : raw_{data, size} {}
  /* A literal, also with NULs within. An array of chars may be text in a larger room or bytes: say which, with a
     std::string_view or with slice(array, size). */
  template <std::size_t N>
  slice(const char (&literal)[N]) noexcept : slice(literal, literal[N - 1] == 0 ? N - 1 : N) {}
  template <std::size_t N>
  slice(char (&)[N]) = delete;
  template <class T, std::enable_if_t<std::is_convertible_v<const T&, std::string_view>, int> = 0>
  slice(const T& text) noexcept : slice(std::string_view(text).data(), std::string_view(text).size()) {}
  template <class T, std::enable_if_t<!std::is_convertible_v<const T&, std::string_view> &&
                                          sizeof(*std::data(std::declval<const T&>())) == 1, int> = 0>
  slice(const T& bytes) noexcept : slice(std::data(bytes), std::size(bytes)) {}

  const std::uint8_t* data() const noexcept { return static_cast<const std::uint8_t*>(raw_.data); }
  std::size_t size() const noexcept { return raw_.len; }
  std::string_view text() const noexcept { return {static_cast<const char*>(raw_.data), raw_.len}; }
  const binlog_slice& raw() const noexcept { return raw_; }

 private:
  binlog_slice raw_;
};
static_assert(sizeof(slice) == sizeof(binlog_slice) && std::is_standard_layout_v<slice>, "arrays of slices go to C");

/* A record's metadata: pairs of UTF-8 texts, to iterate over or search. */
class metadata_view {
 public:
  using value_type = std::pair<std::string_view, std::string_view>;

  struct source; /* a view that is consumed */
  using iterator = detail::pull_iterator<source, value_type>;

  metadata_view() = default;
  explicit metadata_view(slice encoded) noexcept : encoded_(encoded) {}
  inline iterator begin() const;
  inline iterator end() const noexcept;
  bool empty() const noexcept { return encoded_.size() == 0; }
  slice encoded() const noexcept { return encoded_; }
  /* Takes the first pair out of this view; false when it is empty. An error when it is no metadata; a cursor's always is. */
  result<bool> try_next(value_type& pair) {
    const std::uint8_t* at = encoded_.data();
    std::size_t left = encoded_.size();
    binlog_slice key{}, value{};
    const auto status = binlog_metadata_next(&at, &left, &key, &value);
    if (status < 0) return error(status, nullptr);
    encoded_ = slice(at, left);
    pair = {slice(key.data, key.len).text(), slice(value.data, value.len).text()};
    return status == BINLOG_OK;
  }
  /* The first pair's value with this key. */
  result<std::optional<std::string_view>> try_find(std::string_view key) const {
    binlog_slice value{};
    const auto status = binlog_metadata_find(encoded_.data(), encoded_.size(), key.data(), key.size(), &value);
    if (status == BINLOG_E_NOT_FOUND) return std::optional<std::string_view>{};
    if (status < 0) return error(status, nullptr);
    return std::optional<std::string_view>{slice(value.data, value.len).text()};
  }
  std::optional<std::string_view> find(std::string_view key) const { return try_find(key).value(); }

 private:
  slice encoded_;
};

struct metadata_view::source {
  metadata_view rest{};
  bool operator()(value_type& pair) { return rest.try_next(pair).value(); }
};
inline metadata_view::iterator metadata_view::begin() const { return iterator(source{*this}); }
inline metadata_view::iterator metadata_view::end() const noexcept { return {}; }

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
    binlog_error* err = nullptr;
    const auto status = binlog_metadata_put(bytes_.data(), bytes_.size(), &used, key.data(), key.size(), value.data(),
                                            value.size(), &err);
    bytes_.resize(used);
    return detail::answer(status, err);
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
  span<const std::uint8_t> bytes() const noexcept {
    return {static_cast<const std::uint8_t*>(raw_.data), has_payload() ? raw_.len : 0};
  }
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
  struct source; /* a view that is consumed */
  using iterator = detail::pull_iterator<source, record_view>;

  packed_view() = default;
  explicit packed_view(slice frames) noexcept : frames_(frames) {}
  /* Takes the first record out of this view; false when it is empty. An error when these are no frames. */
  result<bool> try_next(record_view& r) {
    const std::uint8_t* at = frames_.data();
    std::size_t left = frames_.size();
    binlog_record raw{};
    const auto status = binlog_packed_next(&at, &left, &raw);
    if (status < 0) return error(status, nullptr);
    frames_ = slice(at, left);
    r = record_view(raw);
    return status == BINLOG_OK;
  }
  inline iterator begin() const;
  inline iterator end() const noexcept;
  bool empty() const noexcept { return frames_.size() == 0; }
  slice frames() const noexcept { return frames_; }

 private:
  slice frames_;
};
struct packed_view::source {
  packed_view rest{};
  bool operator()(record_view& r) { return rest.try_next(r).value(); }
};
inline packed_view::iterator packed_view::begin() const { return iterator(source{*this}); }
inline packed_view::iterator packed_view::end() const noexcept { return {}; }

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

}  // namespace binlog
#endif
