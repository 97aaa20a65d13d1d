/* Part of binlog.hpp: when a log rolls, what happens to its segments then, and what a log must be. */
#ifndef BINLOG_ROLLING_HPP
#define BINLOG_ROLLING_HPP

#include "error.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace binlog {

using segment_state = binlog_segment_state; /* the one being written; its strings live until the function returns */
using segment_file = binlog_segment_file;   /* as hooks see it; likewise */

/* Something that failed and that no call returns. */
struct failure {
  binlog_status status = BINLOG_OK; /* one of BINLOG_E_* */
  std::string message{};            /* one line */
  std::string path{};               /* the file it happened to; may be empty */
};

/* Called for failures, in the thread in which they happen. What it may call of its writer says c-api.md, as of each
   callback; what it throws is lost. */
using failure_function = std::function<void(const failure&)>;

/* Says whether the log rolls now. Called after each write to the file and in tick(), in the thread that did that, by
   several at the same time. What it may call of its writer says c-api.md. An exception means "no", and is reported to on_failure. */
using roll_check = std::function<bool(const segment_state&)>;

/* When a log rolls besides its size, and what its segments are called; binlog.h has the details. The first rule that is
   met rolls; what is left at zero, empty or below zero is no rule, or takes the default. */
struct roll_options {
  std::chrono::seconds period{0};   /* at each multiple, by the wall clock of zone: 3600 s is each full hour */
  std::chrono::milliseconds age{0}; /* so long after the segment was begun */
  std::uint64_t records = 0;
  std::string zone{};          /* such as "Europe/Berlin"; empty: UTC */
  std::string name_template{}; /* such as "{name}-%Y%m%d.{seq}" */
  roll_check check{};
};

/* Which old segments are removed. All rules are kept; zero: no rule. */
struct retention {
  std::chrono::milliseconds age{0}; /* since the segment behind it was begun */
  std::uint64_t segments = 0;       /* no more than so many stay */
  std::uint64_t bytes = 0;          /* no more than so many together */
  bool unshipped = false;           /* of a log that is shipped to a store, what is in none yet goes too */
};

/* What a log must be to be opened: BINLOG_E_MISMATCH otherwise. Empty: anything. */
struct required {
  std::string name{};
  std::string content_type{};
  std::vector<std::pair<std::string, std::string>> parameters{}; /* there may be others */
};

/* A step to be taken with a segment: one of the library's own, or a function of a segment_file that returns nothing, or
   where it has moved the file (std::nullopt: nowhere). An exception is a failure: on_failure is called with its what(), and the
   other hooks still run. Called outside of the library's locks, in a thread of the library with writer_options::background,
   else in the one that opens, rolls or closes; it must not use, close or destroy the writer. It lives until that is closed. */
class hook {
 public:
  using function = std::function<std::optional<std::string>(const segment_file&)>;

  /* ".done" takes the place of what follows the last dot of the name, that dot included. */
  static hook change_extension(std::string extension) {
    return hook(BINLOG_HOOK_CHANGE_EXTENSION, std::move(extension));
  }
  /* Into a directory that is there, over to another file system too. */
  static hook move_to(std::string directory) { return hook(BINLOG_HOOK_MOVE_TO, std::move(directory)); }
  /* The file is removed; should be the last hook. */
  static hook remove() { return hook(BINLOG_HOOK_DELETE, {}); }

  template <class F, class Moved = std::invoke_result_t<F&, const segment_file&>>
  hook(F f) : kind_(BINLOG_HOOK_CALL) {
    if constexpr (std::is_void_v<Moved>) {
      call_ = [f = std::move(f)](const segment_file& segment) mutable -> std::optional<std::string> {
        return f(segment), std::nullopt;
      };
    } else {
      call_ = std::move(f);
    }
  }

  std::uint32_t kind() const noexcept { return kind_; } /* one of BINLOG_HOOK_* */
  const std::string& argument() const noexcept { return argument_; }
  const function& call() const noexcept { return call_; }

 private:
  hook(std::uint32_t kind, std::string argument) : kind_(kind), argument_(std::move(argument)) {}
  std::uint32_t kind_;
  std::string argument_{};
  function call_{};
};

namespace detail {
/* What C owns as soon as it is called with it, and gives back by its drop; until then it is owned here. */
template <class T>
class lent {
 public:
  lent() = default;
  explicit lent(T value) : value_(std::make_unique<T>(std::move(value))) {}
  void* get() const noexcept { return value_.get(); }
  void hand_over() noexcept { (void)value_.release(); }
  static void drop(void* value) { delete static_cast<T*>(value); }

 private:
  std::unique_ptr<T> value_;
};

inline std::uint64_t count_of(std::chrono::milliseconds time) noexcept {
  return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
}
inline const char* or_null(const std::string& text) noexcept { return text.empty() ? nullptr : text.c_str(); }

inline std::vector<const char*> strings_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<const char*> strings;
  for (const auto& [key, value] : pairs) strings.insert(strings.end(), {key.c_str(), value.c_str()});
  return strings;
}

inline std::optional<error> nul_in(const roll_options& o) { return nul_in({&o.zone, &o.name_template}); }
inline std::optional<error> nul_in(const required& o) {
  if (auto refused = nul_in({&o.name, &o.content_type})) return refused;
  return nul_in_pairs(o.parameters);
}
inline std::optional<error> nul_in(const std::vector<hook>& hooks) {
  for (const hook& h : hooks)
    if (auto refused = nul_in({&h.argument()})) return refused;
  return std::nullopt;
}

using shared_failure_function = std::shared_ptr<const failure_function>; /* null: nobody listens */

inline void tell(const shared_failure_function& listener, const failure& what) noexcept {
  BINLOG_HPP_TRY {
    if (listener) (*listener)(what);
  } BINLOG_HPP_CATCH { /* nobody is left who could be called */
  }
}

/* roll_options as C takes them; they point to the C++ ones. */
class c_roll_options {
 public:
  c_roll_options(const roll_options& o, shared_failure_function listener) {
    c_.struct_size = sizeof c_;
    c_.period_s = o.period.count() < 0 ? 0 : static_cast<std::uint64_t>(o.period.count());
    c_.age_ms = count_of(o.age);
    c_.records = o.records;
    c_.zone = or_null(o.zone);
    c_.name_template = or_null(o.name_template);
    if (!o.check) return;
    check_ = lent<asked>({o.check, std::move(listener)});
    c_.check = ask;
    c_.check_userdata = check_.get();
    c_.check_drop = lent<asked>::drop;
  }
  const binlog_roll_options* get() const noexcept { return &c_; }
  void hand_over() noexcept { check_.hand_over(); } /* immediately before the call that takes it */

 private:
  struct asked {
    roll_check check;
    shared_failure_function listener;
  };
  static std::int32_t ask(void* userdata, const binlog_segment_state* state) {
    const auto& mine = *static_cast<const asked*>(userdata);
#ifdef BINLOG_HPP_EXCEPTIONS
    failure what{BINLOG_E_INVALID, "", ""};
    try {
      try {
        return mine.check(*state) ? 1 : 0;
      } catch (const std::exception& e) {
        what.message = std::string("a check for rolling failed: ") + e.what();
      } catch (...) {
        what.message = "a check for rolling failed";
      }
      what.path = state->path;
    } catch (...) { /* no memory for the message */
    }
    tell(mine.listener, what);
    return 0;
#else
    return mine.check(*state) ? 1 : 0;
#endif
  }
  binlog_roll_options c_{};
  lent<asked> check_;
};

class c_retention {
 public:
  explicit c_retention(const retention& o) noexcept {
    c_.struct_size = sizeof c_;
    c_.age_ms = count_of(o.age);
    c_.segments = o.segments;
    c_.bytes = o.bytes;
    c_.flags = o.unshipped ? std::uint32_t{BINLOG_RETENTION_UNSHIPPED} : 0u;
  }
  const binlog_retention* get() const noexcept { return &c_; }

 private:
  binlog_retention c_{};
};

class c_required {
 public:
  explicit c_required(const required& o) : strings_(strings_of(o.parameters)) {
    c_.struct_size = sizeof c_;
    c_.name = or_null(o.name);
    c_.content_type = or_null(o.content_type);
    c_.parameters = strings_.empty() ? nullptr : strings_.data();
    c_.parameter_count = o.parameters.size();
  }
  c_required(const c_required&) = delete;
  const binlog_required* get() const noexcept { return &c_; }

 private:
  std::vector<const char*> strings_;
  binlog_required c_{};
};

/* Hooks as C takes them; they point to the C++ ones. */
class c_hooks {
 public:
  explicit c_hooks(const std::vector<hook>& hooks) {
    calls_.reserve(hooks.size()), c_.reserve(hooks.size());
    for (const hook& h : hooks) {
      binlog_hook c{};
      c.kind = h.kind();
      c.argument = h.kind() == BINLOG_HOOK_CALL || h.kind() == BINLOG_HOOK_DELETE ? nullptr : h.argument().c_str();
      if (h.kind() == BINLOG_HOOK_CALL) {
        calls_.emplace_back(h.call());
        c.call = run;
        c.userdata = calls_.back().get();
        c.drop = lent<hook::function>::drop;
      }
      c_.push_back(c);
    }
  }
  const binlog_hook* get() const noexcept { return c_.empty() ? nullptr : c_.data(); }
  std::size_t size() const noexcept { return c_.size(); }
  void hand_over() noexcept {
    for (auto& call : calls_) call.hand_over();
  }

 private:
  static binlog_status run(void* userdata, const binlog_segment_file* segment, binlog_hook_result* result) {
#ifdef BINLOG_HPP_EXCEPTIONS
    try {
      return call(userdata, *segment, result);
    } catch (const error& e) {
      binlog_hook_result_set_error(result, e.what(), nullptr);
      return e.status();
    } catch (const std::exception& e) {
      binlog_hook_result_set_error(result, e.what(), nullptr);
    } catch (...) {
      binlog_hook_result_set_error(result, "it threw something that is no std::exception", nullptr);
    }
    return BINLOG_E_IO;
#else
    return call(userdata, *segment, result);
#endif
  }
  static binlog_status call(void* userdata, const binlog_segment_file& segment, binlog_hook_result* result) {
    const auto moved = (*static_cast<hook::function*>(userdata))(segment);
    if (!moved) return BINLOG_OK;
    if (const auto refused = nul_in({&*moved})) {
      binlog_hook_result_set_error(result, refused->what(), nullptr);
      return refused->status();
    }
    return binlog_hook_result_set_path(result, moved->c_str(), nullptr);
  }
  std::vector<lent<hook::function>> calls_;
  std::vector<binlog_hook> c_;
};

inline void tell_failure(void* userdata, const binlog_error* what) {
  failure told{};
  BINLOG_HPP_TRY {
    told = {binlog_error_status(what), binlog_error_message(what), binlog_error_path(what)};
  } BINLOG_HPP_CATCH { /* no memory for the texts: the status is reported */
    told.status = binlog_error_status(what);
  }
  tell(*static_cast<shared_failure_function*>(userdata), told);
}
}  // namespace detail

}  // namespace binlog
#endif
