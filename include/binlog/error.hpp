/* Part of binlog.hpp: errors and results. */
#ifndef BINLOG_ERROR_HPP
#define BINLOG_ERROR_HPP

#include "../binlog.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

/* Without exceptions (-fno-exceptions) the functions that throw cannot be called, which the compiler reports: each has a
   try_ form that returns a result, or a pair's or record's try_next in place of iteration. */
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define BINLOG_HPP_EXCEPTIONS 1
#define BINLOG_HPP_TRY try
#define BINLOG_HPP_CATCH catch (...)
#else
#define BINLOG_HPP_TRY if (true)
#define BINLOG_HPP_CATCH else
#endif

namespace binlog {

class error : public std::runtime_error {
 public:
  /* Takes `raw` over; it may be null. */
  error(binlog_status status, binlog_error* raw)
      : std::runtime_error(raw ? binlog_error_message(raw) : binlog_status_name(status)),
        status_(status), raw_(raw, binlog_error_free) {}
  error(binlog_status status, const std::string& message) : std::runtime_error(message), status_(status) {}

  binlog_status status() const noexcept { return status_; } /* one of BINLOG_E_* */
  int os_code() const noexcept { return raw_ ? binlog_error_os_code(raw_.get()) : 0; } /* errno, or 0 */
  const char* path() const noexcept { return raw_ ? binlog_error_path(raw_.get()) : ""; }
  std::int64_t offset() const noexcept { return raw_ ? binlog_error_offset(raw_.get()) : -1; } /* in path(), or -1 */
  /* Id of a record that was taken although the call failed, or 0. */
  std::uint64_t record_id() const noexcept { return raw_ ? binlog_error_record_id(raw_.get()) : 0; }
  /* With BINLOG_E_MISSED, ids of the first and the last record that are no longer in the log. */
  std::optional<std::pair<std::uint64_t, std::uint64_t>> missed() const noexcept {
    std::uint64_t first = 0, last = 0;
    if (binlog_error_missed(raw_.get(), &first, &last) != BINLOG_OK) return std::nullopt;
    return std::pair(first, last);
  }

 private:
  binlog_status status_;
  std::shared_ptr<binlog_error> raw_; /* shared, so that copying an exception cannot throw */
};

namespace detail {
#ifdef BINLOG_HPP_EXCEPTIONS
[[noreturn]] inline void fail(const error& problem) { throw problem; }
#else
[[noreturn]] void fail(const error& problem)
    __attribute__((error("binlog: this function throws; without exceptions, call its try_ form")));
#endif

/* C reads a text up to its first NUL: one with a NUL within is refused rather than taken for another. */
inline std::optional<error> nul_in(std::initializer_list<const std::string*> texts) {
  for (const std::string* text : texts)
    if (text->find('\0') != std::string::npos)
      return error(BINLOG_E_INVALID, "\"" + std::string(text->c_str()) + "...\" contains a NUL");
  return std::nullopt;
}
template <class Pairs>
std::optional<error> nul_in_pairs(const Pairs& pairs) {
  for (const auto& [key, value] : pairs)
    if (auto refused = nul_in({&key, &value})) return refused;
  return std::nullopt;
}
} // namespace detail

/* A value or an error: a small std::expected. */
template <class T>
class [[nodiscard]] result {
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
    if (!has_value()) detail::fail(error());
  }
  std::variant<T, binlog::error> state_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  result(binlog::error problem) : error_(std::move(problem)) {}

  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  binlog_status status() const noexcept { return error_ ? error_->status() : BINLOG_OK; }
  const binlog::error& error() const noexcept { return *error_; }
  void value() const {
    if (error_) detail::fail(*error_);
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

}  // namespace binlog
#endif
