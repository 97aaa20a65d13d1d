/* Part of binlog.hpp: std::span, or as much of it as this interface needs. */
#ifndef BINLOG_SPAN_HPP
#define BINLOG_SPAN_HPP

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>
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

}  // namespace binlog
#endif
