/* Part of binlog.hpp: reports of what cannot be read. */
#ifndef BINLOG_LOSS_HPP
#define BINLOG_LOSS_HPP

#include "error.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace binlog {

using loss = binlog_loss; /* something that could not be read; its strings live until the function returns */

/* Called for each loss, in the thread that reads, before what lies behind it is shown. It must not use the cursor or the
   reader that calls it; cursors in several threads call it at the same time. It lives until the reader and all its
   cursors are closed. An exception that it throws does not pass through C: the call goes on to its end, without calling
   it again, and then throws the exception out of the call it happened in, a try_ one too. What that call was to return
   is lost with it: a cursor's next call goes on behind those records, and a recovery is complete. */
using loss_function = std::function<void(const loss&)>;

namespace detail {
/* Keeps what a loss_function throws from C, and for the call it happened in. */
class loss_listener {
 public:
  explicit loss_listener(loss_function report) : report_(std::move(report)) {}

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
    if (!here) return report_(what); /* somebody uses raw(): then it must not throw */
    if (here->thrown_) return;
    BINLOG_HPP_TRY {
      report_(what);
    } BINLOG_HPP_CATCH {
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

  loss_function report_;
  std::mutex calls_lock_;
  call* calls_ = nullptr;
};
}  // namespace detail

}  // namespace binlog
#endif
