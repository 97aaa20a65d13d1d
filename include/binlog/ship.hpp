/* Part of binlog.hpp: shipping closed segments to a store. */
#ifndef BINLOG_SHIP_HPP
#define BINLOG_SHIP_HPP

#include "compress.hpp"
#include "error.hpp"
#include "rolling.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace binlog {

/* Where a log is shipped to, and how; only url is needed. What is left at zero or empty takes the library's default, see
   binlog.h. */
struct ship_options {
  std::string url{};         /* such as "s3://bucket/logs?region=eu-central-1" or "file:///mnt/archive" */
  std::string credentials{}; /* a file of KEY=VALUE lines; empty: the environment, or the machine itself */
  retention keep{};          /* what stays here once the store holds it; all zero: everything */
  retention keep_remote{};    /* what stays in the store; all zero: everything */
  std::optional<compress_options> compress{}; /* before shipping; its on_progress is not used */
  std::uint32_t in_flight = 0;                /* requests at a time */
  std::uint32_t threads = 0;                  /* at work: checksums, and what comes next */
  std::uint64_t part_bytes = 0;               /* larger segments go in parts */
  std::uint64_t bandwidth = 0;                /* bytes a second; 0: no limit */
  std::chrono::milliseconds timeout{0};       /* of a request without any progress */
  std::chrono::milliseconds first_delay{0};   /* before another try */
  std::chrono::milliseconds longest_delay{0};
  std::chrono::milliseconds patience{0};   /* of shipper::run without getting any further */
  std::chrono::milliseconds stale{0};      /* uploads begun longer ago are given up */
  std::chrono::milliseconds close_wait{0}; /* within a writer: how long closing goes on shipping */
  bool no_roll_at_close = false;           /* within a writer: the newest segment stays as it is */
  bool dry_run = false;                    /* not within a writer */
  std::uint32_t file_mode = 0;             /* of `<log>.archive` */
};

using ship_status = binlog_ship_status; /* its strings live as long as the shipper or the writer */
using ship_report = binlog_ship_report;
using ship_event = binlog_ship_event; /* lives until the function returns */

/* Called with what happens, in the thread of the call that does it; false ends that call soon. An exception does, too, and comes
   out of the call, a try_ one too. It may ask for status and metrics, but must not ship, verify or close. */
using ship_function = std::function<bool(const ship_event&)>;

/* Something that is wrong with what a store holds. */
struct ship_problem {
  std::uint32_t kind = 0; /* one of BINLOG_SHIP_PROBLEM_* */
  bool is_here = false;   /* what is missing there has its file here */
  std::uint64_t sequence = 0;
  std::uint64_t last_sequence = 0;
  std::string object{};  /* its name; empty for a gap */
  std::string message{}; /* one line */
};

struct ship_verified {
  binlog_ship_verified sums{};
  std::vector<ship_problem> problems{}; /* in the order of the segments; foreign objects last */
};

namespace detail {
inline std::optional<error> nul_in(const ship_options& o) { return nul_in({&o.url, &o.credentials}); }

/* ship_options as C takes them; they point to the C++ ones. */
class c_ship_options {
 public:
  explicit c_ship_options(const ship_options& o) : keep_(o.keep), keep_remote_(o.keep_remote) {
    c_.struct_size = sizeof c_;
    c_.flags = (o.no_roll_at_close ? std::uint32_t{BINLOG_SHIP_NO_ROLL_AT_CLOSE} : 0u) |
               (o.dry_run ? std::uint32_t{BINLOG_SHIP_DRY_RUN} : 0u);
    c_.in_flight = o.in_flight;
    c_.url = o.url.c_str();
    c_.credentials = or_null(o.credentials);
    c_.keep = keep_.get();
    c_.keep_remote = keep_remote_.get();
    if (o.compress) compress_.emplace(*o.compress);
    c_.compress = compress_ ? &compress_->get() : nullptr;
    c_.part_bytes = o.part_bytes;
    c_.bandwidth = o.bandwidth;
    c_.timeout_ms = count_of(o.timeout);
    c_.first_delay_ms = count_of(o.first_delay);
    c_.longest_delay_ms = count_of(o.longest_delay);
    c_.patience_ms = count_of(o.patience);
    c_.stale_ms = count_of(o.stale);
    c_.close_wait_ms = count_of(o.close_wait);
    c_.file_mode = o.file_mode;
    c_.threads = o.threads;
  }
  c_ship_options(const c_ship_options&) = delete;
  const binlog_ship_options* get() const noexcept { return &c_; }

 private:
  c_retention keep_;
  c_retention keep_remote_;
  std::optional<c_compress_options> compress_;
  binlog_ship_options c_{};
};

/* A text that C copies into a buffer; `copy` is called until that is large enough. */
template <class Copy>
result<std::string> text_of(Copy copy) {
  std::string text;
  for (std::size_t room = 4096;; room = text.size() + 256) {
    text.resize(room);
    std::size_t len = 0;
    binlog_error* err = nullptr;
    const auto status = copy(text.data(), text.size(), &len, &err);
    text.resize(status == BINLOG_E_TOO_LARGE || status == BINLOG_OK ? len : 0);
    if (status != BINLOG_E_TOO_LARGE) return answer(status, err, std::move(text));
    binlog_error_free(err);
  }
}

inline std::optional<failure> failure_of(binlog_error* raw) {
  if (!raw) return std::nullopt;
  const std::unique_ptr<binlog_error, void (*)(binlog_error*)> owned(raw, binlog_error_free);
  return failure{binlog_error_status(raw), binlog_error_message(raw), binlog_error_path(raw)};
}
}  // namespace detail

/* Ships one log to one store, beside its writer or without one. Threads may share it; closed, moved or destroyed it is by one,
   after the others are done. */
class shipper {
 public:
  shipper() = default;

  /* The log called `log`, or the only one in the directory. BINLOG_E_LOCKED while somebody ships it already. */
  static result<shipper> try_open(const std::string& directory, const ship_options& options,
                                  const std::string& log = {}) {
    if (auto refused = detail::nul_in({&directory, &log})) return *refused;
    if (auto refused = detail::nul_in(options)) return *refused;
    const detail::c_ship_options c(options);
    binlog_shipper* s = nullptr;
    binlog_error* err = nullptr;
    const auto status = binlog_shipper_open(directory.c_str(), detail::or_null(log), c.get(), &s, &err);
    return detail::answer(status, err, shipper(s));
  }
  static shipper open(const std::string& directory, const ship_options& options, const std::string& log = {}) {
    return try_open(directory, options, log).value();
  }

  explicit operator bool() const noexcept { return raw_ != nullptr; }
  binlog_shipper* raw() const noexcept { return raw_.get(); }
  void close() noexcept { raw_.reset(); }

  /* Ships all segments that are closed, and removes those here that need not stay. */
  result<ship_report> try_run(const ship_function& on_event = {}) {
    ship_report report{};
    binlog_error* err = nullptr;
    detail::asked<ship_event> asked(on_event);
    const auto status = binlog_shipper_run(raw(), callback(on_event), asked.userdata(), &report, &err);
    auto answer = detail::answer(status, err, report);
    return asked.rethrow(), answer;
  }
  ship_report run(const ship_function& on_event = {}) { return try_run(on_event).value(); }

  /* Goes on shipping until stop() is called, or on_event returns false. */
  result<void> try_follow(const ship_function& on_event = {}) {
    binlog_error* err = nullptr;
    detail::asked<ship_event> asked(on_event);
    const auto status = binlog_shipper_follow(raw(), callback(on_event), asked.userdata(), &err);
    auto answer = detail::answer(status, err);
    return asked.rethrow(), answer;
  }
  void follow(const ship_function& on_event = {}) { try_follow(on_event).value(); }

  /* Makes the calls of other threads return soon, and those to come at once. A stopped shipper stays so. */
  void stop() noexcept { binlog_shipper_stop(raw()); }

  /* Compares what the store holds with what is here, and with what is known of what was here. */
  result<ship_verified> try_verify(bool read_back = false, const ship_function& on_event = {}) {
    struct told {
      detail::asked<ship_event> asked;
      ship_verified verified{};
      std::exception_ptr thrown{}; /* there was no memory for a problem */
    } mine{detail::asked<ship_event>(on_event)};
    const auto ask = [](void* userdata, const binlog_ship_event* e) {
      return detail::asked<ship_event>::ask(static_cast<told*>(userdata)->asked.userdata(), e);
    };
    const auto add = [](void* userdata, const binlog_ship_problem* p) {
      auto& into = *static_cast<told*>(userdata);
      BINLOG_HPP_TRY {
        if (!into.thrown)
          into.verified.problems.push_back({p->kind, p->is_here != 0, p->sequence, p->last_sequence,
                                            p->object ? p->object : "", p->message});
      } BINLOG_HPP_CATCH {
        into.thrown = std::current_exception();
      }
    };
    const std::uint32_t flags = read_back ? std::uint32_t{BINLOG_SHIP_VERIFY_READ_BACK} : 0u;
    binlog_error* err = nullptr;
    const auto status =
        binlog_shipper_verify(raw(), flags, add, on_event ? static_cast<binlog_ship_event_callback>(ask) : nullptr,
                              &mine, &mine.verified.sums, &err);
    auto answer = detail::answer(status, err, std::move(mine.verified));
    mine.asked.rethrow();
    if (mine.thrown) std::rethrow_exception(mine.thrown);
    return answer;
  }
  ship_verified verify(bool read_back = false, const ship_function& on_event = {}) {
    return try_verify(read_back, on_event).value();
  }

  /* Says that a damaged segment is to be sent as it is, or that a missing one is lost and not waited for: its number, its file,
     or of missing ones the first and the last with a dash between. BINLOG_E_INVALID when it is neither. */
  result<void> try_accept(const std::string& segment) {
    if (auto refused = detail::nul_in({&segment})) return *refused;
    binlog_error* err = nullptr;
    const auto status = binlog_shipper_accept(raw(), segment.c_str(), &err);
    return detail::answer(status, err);
  }
  void accept(const std::string& segment) { try_accept(segment).value(); }

  /* Makes room in the store for a segment whose object is another one; that is kept as NAME.replaced-1. The next run sends it. */
  result<void> try_replace(const std::string& segment) {
    if (auto refused = detail::nul_in({&segment})) return *refused;
    binlog_error* err = nullptr;
    const auto status = binlog_shipper_replace(raw(), segment.c_str(), &err);
    return detail::answer(status, err);
  }
  void replace(const std::string& segment) { try_replace(segment).value(); }

  /* Forgets the store: segments are no longer kept here because it does not hold them. */
  result<void> try_forget() {
    binlog_error* err = nullptr;
    const auto status = binlog_shipper_forget(raw(), &err);
    return detail::answer(status, err);
  }
  void forget() { try_forget().value(); }

  result<ship_status> try_status() const {
    ship_status status{};
    binlog_error* err = nullptr;
    const auto done = binlog_shipper_status(raw(), &status, &err);
    return detail::answer(done, err, status);
  }
  ship_status status() const { return try_status().value(); }

  /* The same in the text format of Prometheus. */
  result<std::string> try_metrics() const {
    return detail::text_of([this](auto... rest) { return binlog_shipper_metrics(raw(), rest...); });
  }
  std::string metrics() const { return try_metrics().value(); }

  std::optional<failure> last_failure() const { return detail::failure_of(binlog_shipper_last_failure(raw())); }

 private:
  struct closer {
    void operator()(binlog_shipper* s) const noexcept { binlog_shipper_close(s); }
  };
  explicit shipper(binlog_shipper* raw) noexcept : raw_(raw) {}
  static binlog_ship_event_callback callback(const ship_function& on_event) noexcept {
    return on_event ? detail::asked<ship_event>::ask : nullptr;
  }
  std::unique_ptr<binlog_shipper, closer> raw_;
};

}  // namespace binlog
#endif
