/* Part of binlog.hpp: reading a log. */
#ifndef BINLOG_READER_HPP
#define BINLOG_READER_HPP

#include "loss.hpp"
#include "record.hpp"
#include "rolling.hpp"
#include "table.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace binlog {

using tail = binlog_tail;         /* state is one of BINLOG_TAIL_*; its strings live until the cursor's next call */
using segment = binlog_segment;   /* its strings live as long as the reader */

/* What a log says of a named type. */
struct type_info {
  std::uint32_t type = 0;
  std::string name{};
  std::string content_type{}; /* these three are empty where the log says nothing */
  std::string encoding{};
  std::string message{};
  std::string schema{};                      /* bytes; empty when there is none, and when the log has lost it */
  std::array<std::uint8_t, 32> schema_sha256{}; /* zeros without a schema */
};

namespace detail {
inline type_info info_of(const binlog_type_info& c) {
  type_info info{c.type, c.name, c.content_type, c.encoding, c.message, {}, {}};
  if (c.schema_len != 0) info.schema.assign(static_cast<const char*>(c.schema), c.schema_len);
  std::copy(std::begin(c.schema_sha256), std::end(c.schema_sha256), info.schema_sha256.begin());
  return info;
}
}  // namespace detail

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

namespace detail {

/* A text of the filter that C cannot be given. */
inline std::optional<error> refused(const filter& wanted) {
  if (auto refused = nul_in_pairs(wanted.metadata)) return refused;
  for (const std::string& name : wanted.type_names) {
    if (auto refused = nul_in({&name})) return refused;
  }
  return std::nullopt;
}

/* The filter as C has it, for as long as both live. */
class c_filter {
 public:
  explicit c_filter(const filter& wanted) {
    for (const std::string& name : wanted.type_names) names_.push_back(name.c_str());
    for (const auto& [key, value] : wanted.metadata) pairs_.insert(pairs_.end(), {key.c_str(), value.c_str()});
    c_.struct_size = sizeof c_;
    c_.flags = (wanted.headers_only ? std::uint32_t{BINLOG_FILTER_HEADERS} : 0u) |
               (wanted.events ? std::uint32_t{BINLOG_FILTER_EVENTS} : 0u) |
               (wanted.newest_first ? std::uint32_t{BINLOG_FILTER_NEWEST_FIRST} : 0u);
    c_.from_id = wanted.from_id;
    c_.to_id = wanted.to_id;
    c_.from_time_ns = wanted.from_time_ns;
    c_.to_time_ns = wanted.to_time_ns;
    c_.types = wanted.types.empty() ? nullptr : wanted.types.data();
    c_.type_count = wanted.types.size();
    c_.type_names = names_.empty() ? nullptr : names_.data();
    c_.type_name_count = names_.size();
    c_.metadata = pairs_.empty() ? nullptr : pairs_.data();
    c_.metadata_count = wanted.metadata.size();
    c_.last = wanted.last;
  }
  c_filter(const c_filter&) = delete;
  c_filter& operator=(const c_filter&) = delete;
  const binlog_filter* get() const noexcept { return &c_; }

 private:
  std::vector<const char*> names_{}, pairs_{};
  binlog_filter c_{};
};

}  // namespace detail

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

  /* Waits until the next call has a record to show, or something to report; false when the time was up. Zero and less only
     look; a time that 64 bits of nanoseconds do not hold waits for ever. BINLOG_E_INTERRUPTED after interrupt(), or when a
     signal handler has run in this thread meanwhile: the same call goes on. */
  template <class Rep, class Period>
  result<bool> try_wait(std::chrono::duration<Rep, Period> timeout) {
    const double seconds = std::chrono::duration<double>(timeout).count();
    if (seconds > 9.2e9) return wait_ns(BINLOG_FOREVER);
    return wait_ns(seconds <= 0 ? 0 : std::chrono::duration_cast<std::chrono::nanoseconds>(timeout).count());
  }
  template <class Rep, class Period>
  bool wait(std::chrono::duration<Rep, Period> timeout) {
    return try_wait(timeout).value();
  }
  void wait() { wait_ns(BINLOG_FOREVER).value(); } /* for ever */

  /* Ends the wait that is under way, or else the next one, with BINLOG_E_INTERRUPTED. Any thread, and a signal handler. */
  void interrupt() noexcept { binlog_cursor_interrupt(raw()); }

  /* For poll(2) and loops built on it: readable when there may be something to show, or after interrupt(). Then, and when
     look_after has passed without that, call wait(0s). The cursor closes it. */
  struct pollable {
    int descriptor;
    std::chrono::nanoseconds look_after;
  };
  result<pollable> try_descriptor() {
    int descriptor = -1;
    std::int64_t look_after = 0;
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_descriptor(raw(), &descriptor, &look_after, &err);
    return detail::answer(status, err, pollable{descriptor, std::chrono::nanoseconds(look_after)});
  }
  pollable descriptor() { return try_descriptor().value(); }

  /* The record with this id, wherever the cursor is; reading goes on behind it. Nothing when the log has no such record
     or the filter does not let it pass; BINLOG_E_MISSED when it was removed with old segments. BINLOG_E_UNSUPPORTED with
     newest_first and when salvaging, as the two below. */
  result<std::optional<record_view>> try_get(std::uint64_t id) {
    record_view r;
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_get(raw(), id, &r.raw_, &err);
    if (status == BINLOG_E_NOT_FOUND) return binlog_error_free(err), std::optional<record_view>();
    return detail::answer(status, err, std::optional(r));
  }
  std::optional<record_view> get(std::uint64_t id) { return try_get(id).value(); }

  /* Goes to the record with this id, or to the first behind it that the filter lets pass. The next call that reads fails
     once with BINLOG_E_MISSED when records from this id on were removed with old segments. */
  result<void> try_seek(std::uint64_t id) {
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_seek(raw(), id, &err);
    return detail::answer(status, err);
  }
  void seek(std::uint64_t id) { try_seek(id).value(); }

  /* Goes to the first record of this time or later; earlier ones are not shown from there on. BINLOG_E_MISSED follows, as
     behind seek, when the log still says that records of this time or later were removed. */
  result<void> try_seek_time(std::int64_t time_ns) {
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_seek_time(raw(), time_ns, &err);
    return detail::answer(status, err);
  }
  void seek_time(std::int64_t time_ns) { try_seek_time(time_ns).value(); }

  /* Goes behind the newest record that is there: what is shown next was appended later. */
  result<void> try_seek_end() {
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_seek_end(raw(), &err);
    return detail::answer(status, err);
  }
  void seek_end() { try_seek_end().value(); }

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

  /* All that the log says of a type, in the segment of the record that was shown last; a copy. */
  result<binlog::type_info> try_type_info(std::uint32_t type) {
    binlog_type_info c{};
    binlog_error* err = nullptr;
    const auto status = binlog_cursor_type(raw(), type, &c, &err);
    return detail::answer(status, err, status < 0 ? binlog::type_info{} : detail::info_of(c));
  }
  binlog::type_info type_info(std::uint32_t type) { return try_type_info(type).value(); }

 private:
  friend class reader;
  result<bool> wait_ns(std::int64_t timeout) {
    binlog_error* err = nullptr;
    const detail::loss_listener::call here(listener_.get());
    const auto status = binlog_cursor_wait(raw(), timeout, &err);
    auto answer = detail::answer(status, err, status == BINLOG_OK);
    return here.rethrow(), answer;
  }
  struct closer {
    void operator()(binlog_cursor* c) const noexcept { binlog_cursor_close(c); }
  };
  cursor(binlog_cursor* raw, std::shared_ptr<detail::loss_listener> listener) noexcept
      : listener_(std::move(listener)), raw_(raw) {}
  std::shared_ptr<detail::loss_listener> listener_;
  std::unique_ptr<binlog_cursor, closer> raw_;
};

/* What a reader makes of damage: prefix stops there, and a torn tail is an end, which tail() reports; for strict any bad
   byte is an error; salvage continues behind damage, and calls on_loss. */
enum class reader_mode : std::uint32_t {
  prefix = BINLOG_READER_PREFIX,
  strict = BINLOG_READER_STRICT,
  salvage = BINLOG_READER_SALVAGE
};

struct reader_options {
  reader_mode mode = reader_mode::prefix;
  loss_function on_loss{}; /* may be empty */
  required require{};
  std::string log{};             /* of the logs of a directory, the one of this name alone; empty: all of them */
  std::string cache{};           /* for a log in a store: a directory here that keeps what was fetched; empty: none */
  std::uint64_t cache_bytes = 0; /* what it may hold; 0: 1 GiB */
  std::string credentials{};     /* for a log in a store: a file of KEY=VALUE lines; empty: the environment */
  std::uint64_t block_max_bytes = 0; /* the most memory that reading a block may take; 0: 4 GiB */
};

/* How many records of a type a log holds. */
struct type_count {
  std::uint32_t type = 0;
  std::uint64_t records = 0;
  std::string name{};           /* empty when the type has none */
  bool several_numbers = false; /* a name has another number with each schema; `type` is the first of them */
};

/* How a log is planned. */
struct plan_options {
  std::uint64_t target_bytes = 0; /* of a split; 0: 64 MiB */
  std::uint64_t most = 0;         /* no more splits than this, as far as possible; 0: no limit */
};

/* A part of a log that is read independently of the others; reader::open_split opens its token, anywhere. */
struct split {
  std::string token{};
  std::string location{};
  std::uint64_t first_id = 0; /* inclusive, both */
  std::uint64_t last_id = 0;
  std::uint64_t records = 0; /* that the filter may want */
  std::uint64_t bytes = 0;
  std::int64_t first_time_ns = 0; /* INT64_MIN: not known */
  std::int64_t last_time_ns = 0;  /* INT64_MAX: not known */
};

class reader {
 public:
  reader() = default;

  /* A file, a directory, a pattern with * and ?, or the URL of a store */
  static result<reader> try_open(const std::string& path_or_glob, const reader_options& options = {}) {
    return open_by(binlog_reader_open, path_or_glob, options);
  }
  static reader open(const std::string& path_or_glob, const reader_options& options = {}) {
    return try_open(path_or_glob, options).value();
  }

  /* A split, by its token: this reader shows its records alone. Use the filter of the plan again. */
  static result<reader> try_open_split(const std::string& token, const reader_options& options = {}) {
    return open_by(binlog_split_open, token, options);
  }
  static reader open_split(const std::string& token, const reader_options& options = {}) {
    return try_open_split(token, options).value();
  }

  explicit operator bool() const noexcept { return raw_ != nullptr; }
  binlog_reader* raw() const noexcept { return raw_.get(); }
  void close() noexcept { raw_.reset(), listener_.reset(); }

  /* for (const binlog::record_view& r : reader.records()) ... */
  result<cursor> try_records(const filter& wanted = {}) const {
    if (auto refused = detail::refused(wanted)) return *refused;
    const detail::c_filter c(wanted);
    binlog_cursor* cur = nullptr;
    binlog_error* err = nullptr;
    const detail::loss_listener::call here(listener_.get());
    const auto status = binlog_cursor_open(raw(), c.get(), &cur, &err);
    auto answer = detail::answer(status, err, cursor(cur, listener_));
    return here.rethrow(), std::move(answer);
  }
  cursor records(const filter& wanted = {}) const { return try_records(wanted).value(); }

  /* The records as columns, in an Arrow stream: for (const binlog::arrow_array& batch : reader.table()) ... */
  result<binlog::table> try_table(const filter& wanted = {}, const table_options& options = {}) const {
    if (auto refused = detail::refused(wanted)) return *refused;
    std::vector<const char*> keys;
    for (const std::string& key : options.metadata) {
      if (auto refused = detail::nul_in({&key})) return *refused;
      keys.push_back(key.c_str());
    }
    const detail::c_filter c(wanted);
    binlog_table_options o{};
    o.struct_size = sizeof o;
    o.columns = options.columns;
    o.flags = options.plain ? std::uint32_t{BINLOG_TABLE_PLAIN} : 0u;
    o.metadata = keys.empty() ? nullptr : keys.data();
    o.metadata_count = keys.size();
    o.batch_rows = options.batch_rows;
    o.batch_bytes = options.batch_bytes;
    ArrowArrayStream stream{};
    binlog_error* err = nullptr;
    const detail::loss_listener::call here(listener_.get());
    const auto status = binlog_reader_table(raw(), c.get(), &o, &stream, &err);
    auto answer = detail::answer(status, err, binlog::table(stream, listener_));
    return here.rethrow(), std::move(answer);
  }
  binlog::table table(const filter& wanted = {}, const table_options& options = {}) const {
    return try_table(wanted, options).value();
  }

  /* for (const binlog::split& s : reader.plan(wanted)) ... Each record that the filter lets pass now is in one split. */
  result<std::vector<split>> try_plan(const filter& wanted = {}, const plan_options& options = {}) const {
    if (auto refused = detail::refused(wanted)) return *refused;
    const detail::c_filter c(wanted);
    binlog_plan_options how{};
    how.struct_size = sizeof how;
    how.target_bytes = options.target_bytes;
    how.most = options.most;
    binlog_plan* plan = nullptr;
    binlog_error* err = nullptr;
    auto status = binlog_reader_plan(raw(), c.get(), &how, &plan, &err);
    const std::unique_ptr<binlog_plan, void (*)(binlog_plan*)> open(plan, binlog_plan_close);
    std::size_t count = 0;
    if (status >= 0) status = binlog_plan_count(plan, &count, &err);
    std::vector<split> all;
    for (std::size_t i = 0; status >= 0 && i < count; i++) {
      binlog_split s;
      status = binlog_plan_split(plan, i, &s, &err);
      if (status < 0) break;
      all.push_back({s.token, s.location, s.first_id, s.last_id, s.records, s.bytes, s.first_time_ns, s.last_time_ns});
    }
    return detail::answer(status, err, std::move(all));
  }
  std::vector<split> plan(const filter& wanted = {}, const plan_options& options = {}) const {
    return try_plan(wanted, options).value();
  }

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
      BINLOG_HPP_TRY {
        if (!into.thrown) into.all.push_back({c->type, c->records, c->name ? c->name : "", c->several_numbers != 0});
      } BINLOG_HPP_CATCH {
        into.thrown = std::current_exception();
      }
    };
    binlog_error* err = nullptr;
    const auto status = binlog_reader_counts(raw(), add, &counts, &err);
    if (counts.thrown) std::rethrow_exception(counts.thrown);
    return detail::answer(status, err, std::move(counts.all));
  }
  std::vector<type_count> counts() const { return try_counts().value(); }

  /* The named types of the log as it is now, by number. */
  result<std::vector<type_info>> try_types() const {
    struct {
      std::vector<type_info> all;
      std::exception_ptr thrown; /* there was no memory for one */
    } types;
    const auto add = [](void* userdata, const binlog_type_info* c) {
      auto& into = *static_cast<decltype(types)*>(userdata);
      BINLOG_HPP_TRY {
        if (!into.thrown) into.all.push_back(detail::info_of(*c));
      } BINLOG_HPP_CATCH {
        into.thrown = std::current_exception();
      }
    };
    binlog_error* err = nullptr;
    const auto status = binlog_reader_types(raw(), add, &types, &err);
    if (types.thrown) std::rethrow_exception(types.thrown);
    return detail::answer(status, err, std::move(types.all));
  }
  std::vector<type_info> types() const { return try_types().value(); }

 private:
  template <class Open>
  static result<reader> open_by(Open open, const std::string& path_or_glob, const reader_options& options) {
    if (auto refused = detail::nul_in({&path_or_glob, &options.log, &options.cache, &options.credentials})) return *refused;
    if (auto refused = detail::nul_in(options.require)) return *refused;
    binlog_reader_options c{};
    c.struct_size = sizeof c;
    c.mode = static_cast<std::uint32_t>(options.mode);
    const detail::c_required require(options.require);
    c.require = require.get();
    c.cache = detail::or_null(options.cache);
    c.cache_bytes = options.cache_bytes;
    c.credentials = detail::or_null(options.credentials);
    c.block_max_bytes = options.block_max_bytes;
    c.log = detail::or_null(options.log);
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
    const auto status = open(path_or_glob.c_str(), &c, &r, &err);
    return detail::answer(status, err, reader(r, std::move(listener)));
  }

  using listener_ptr = std::shared_ptr<detail::loss_listener>;
  struct closer {
    void operator()(binlog_reader* r) const noexcept { binlog_reader_close(r); }
  };
  reader(binlog_reader* raw, listener_ptr listener) noexcept : listener_(std::move(listener)), raw_(raw) {}
  listener_ptr listener_;
  std::unique_ptr<binlog_reader, closer> raw_;
};

}  // namespace binlog
#endif
