/* Part of binlog.hpp: a log as columns, in the structs of Arrow's C data interface. */
#ifndef BINLOG_TABLE_HPP
#define BINLOG_TABLE_HPP

#include "loss.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace binlog {

struct table_options {
  std::uint32_t columns = 0;           /* BINLOG_COLUMN_*; 0: all that the filter reads */
  bool plain = false;                  /* only types that every engine knows */
  std::vector<std::string> metadata{}; /* a column metadata.KEY for each of these */
  std::size_t batch_rows = 0;          /* 0: 65,536 */
  std::size_t batch_bytes = 0;         /* 0: 16 MiB */
};

namespace detail {

/* Owns a struct of Arrow's, which knows how it is released. Moves, and never copies. */
template <class C>
class arrow_owner {
 public:
  arrow_owner() = default;
  explicit arrow_owner(const C& raw) noexcept : raw_(raw) {}
  arrow_owner(arrow_owner&& other) noexcept : raw_(other.release()) {}
  arrow_owner& operator=(arrow_owner&& other) noexcept {
    if (this != &other) close(), raw_ = other.release();
    return *this;
  }
  ~arrow_owner() { close(); }

  explicit operator bool() const noexcept { return raw_.release != nullptr; }
  C* raw() noexcept { return &raw_; }
  const C* raw() const noexcept { return &raw_; }
  const C* operator->() const noexcept { return &raw_; }
  /* The struct belongs to the caller from here on: for a library that imports it. */
  C release() noexcept { return std::exchange(raw_, C{}); }
  void close() noexcept {
    if (raw_.release != nullptr) raw_.release(&raw_);
    raw_ = C{};
  }

 private:
  C raw_{};
};

inline binlog_status status_of_errno(int code) noexcept {
  switch (code) {
    case EINVAL: return BINLOG_E_INVALID;
    case EBADMSG: return BINLOG_E_CORRUPT;
    case ESTALE: return BINLOG_E_MISSED;
    case ENOENT: return BINLOG_E_NOT_FOUND;
    case ENOMEM: return BINLOG_E_NO_MEMORY;
    case EOVERFLOW: return BINLOG_E_TOO_LARGE;
    case ENOTSUP: return BINLOG_E_UNSUPPORTED;
    default: return BINLOG_E_IO;
  }
}

}  // namespace detail

using arrow_schema = detail::arrow_owner<ArrowSchema>;
using arrow_array = detail::arrow_owner<ArrowArray>;

/* The batches of a table, one after the other; one thread at a time. It outlives its reader, and a batch outlives it. */
class table {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = arrow_array;
    using difference_type = std::ptrdiff_t;
    using pointer = arrow_array*;
    using reference = arrow_array&;

    iterator() = default;
    explicit iterator(table* owner) : owner_(owner) { ++*this; }
    reference operator*() noexcept { return batch_; }
    pointer operator->() noexcept { return &batch_; }
    iterator& operator++() {
      batch_ = owner_->next();
      if (!batch_) owner_ = nullptr;
      return *this;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.owner_ == b.owner_; }
    friend bool operator!=(const iterator& a, const iterator& b) noexcept { return !(a == b); }

   private:
    table* owner_ = nullptr;
    arrow_array batch_{};
  };

  table() = default;
  explicit operator bool() const noexcept { return static_cast<bool>(stream_); }
  ArrowArrayStream* raw() noexcept { return stream_.raw(); }
  void close() noexcept { stream_.close(), listener_.reset(); }

  iterator begin() { return iterator(this); }
  iterator end() noexcept { return {}; }

  /* An empty one at the end of the log. After an error every call fails with it. */
  result<arrow_array> try_next() { return get<ArrowArray>(&ArrowArrayStream::get_next); }
  arrow_array next() { return try_next().value(); }

  result<arrow_schema> try_schema() { return get<ArrowSchema>(&ArrowArrayStream::get_schema); }
  arrow_schema schema() { return try_schema().value(); }

  /* The stream belongs to the caller from here on: for a library that imports it. What on_loss throws is lost there. */
  ArrowArrayStream release() noexcept { return stream_.release(); }

 private:
  friend class reader;
  table(const ArrowArrayStream& stream, std::shared_ptr<detail::loss_listener> listener) noexcept
      : listener_(std::move(listener)), stream_(stream) {}

  template <class C, class Call>
  result<detail::arrow_owner<C>> get(Call call) {
    if (!stream_) return error(BINLOG_E_INVALID, "there is no table: it was not opened, or is closed or moved from");
    C made{};
    const detail::loss_listener::call here(listener_.get());
    const int code = (stream_.raw()->*call)(stream_.raw(), &made);
    detail::arrow_owner<C> owner(code == 0 ? made : C{});
    here.rethrow();
    if (code == 0) return owner;
    const char* line = stream_->get_last_error(stream_.raw());
    return error(detail::status_of_errno(code), line ? line : "");
  }

  std::shared_ptr<detail::loss_listener> listener_{};
  detail::arrow_owner<ArrowArrayStream> stream_{};
};

}  // namespace binlog
#endif
