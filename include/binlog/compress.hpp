/* Part of binlog.hpp: compressing finished segments, and back. */
#ifndef BINLOG_COMPRESS_HPP
#define BINLOG_COMPRESS_HPP

#include "error.hpp"
#include "rolling.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace binlog {

enum class codec : std::uint32_t { none = BINLOG_CODEC_NONE, lz4 = BINLOG_CODEC_LZ4, zstd = BINLOG_CODEC_ZSTD };

/* Whether a file is compressed as a whole, for the tools of others; of such a file, finding one record costs reading all
   before it. */
enum class whole_file : std::uint32_t { none = BINLOG_WHOLE_NONE, gzip = BINLOG_WHOLE_GZIP, zstd = BINLOG_WHOLE_ZSTD };

using progress = binlog_progress; /* of one segment; its strings live until the function returns */

/* Called with how far the work has come; false stops it: the call fails with BINLOG_E_IO. An exception stops it too, and comes
   out of the call, a try_ one too. */
using progress_function = std::function<bool(const progress&)>;

/* What is left at zero takes the library's default, see binlog.h. */
struct compress_options {
  binlog::codec codec = binlog::codec::zstd;
  std::int32_t level = 0;
  std::uint32_t threads = 0;
  std::uint32_t block_bytes = 0;
  whole_file whole = whole_file::none;
  bool keep_source = false;   /* it stays beside what was made of it */
  bool remove_single = false; /* it goes also when it is a log of one file */
  bool sha256_name = false;   /* the file's name contains its SHA-256 */
  bool no_dictionary = false;
  bool dry_run = false;            /* nothing is written */
  progress_function on_progress{}; /* may be empty */
};

/* A segment that was compressed, or made an ordinary one again. */
struct compressed {
  std::string path{};
  std::string source{};
  std::string sha256{}; /* empty unless the name contains it */
  std::uint64_t sequence = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  bool source_removed = false;
};

namespace detail {
/* A function that C calls while a call lasts, and what it threw. */
template <class Told>
class asked {
 public:
  explicit asked(const std::function<bool(const Told&)>& f) : f_(f) {}
  asked(const asked&) = delete;
  void* userdata() noexcept { return this; }
  /* 0: go on */
  static std::int32_t ask(void* userdata, const Told* told) {
    auto& mine = *static_cast<asked*>(userdata);
    BINLOG_HPP_TRY {
      if (!mine.thrown_) return mine.f_(*told) ? 0 : 1;
    } BINLOG_HPP_CATCH {
      mine.thrown_ = std::current_exception();
    }
    return 1;
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  const std::function<bool(const Told&)>& f_;
  std::exception_ptr thrown_;
};

/* compress_options as C takes them; without the function. */
class c_compress_options {
 public:
  explicit c_compress_options(const compress_options& o) noexcept {
    c_.struct_size = sizeof c_;
    c_.flags = (o.keep_source ? std::uint32_t{BINLOG_COMPRESS_KEEP_SOURCE} : 0u) |
               (o.remove_single ? std::uint32_t{BINLOG_COMPRESS_REMOVE_SINGLE} : 0u) |
               (o.sha256_name ? std::uint32_t{BINLOG_COMPRESS_SHA256_NAME} : 0u) |
               (o.no_dictionary ? std::uint32_t{BINLOG_COMPRESS_NO_DICTIONARY} : 0u) |
               (o.dry_run ? std::uint32_t{BINLOG_COMPRESS_DRY_RUN} : 0u);
    c_.codec = static_cast<std::uint32_t>(o.codec);
    c_.level = o.level;
    c_.threads = o.threads;
    c_.block_bytes = o.block_bytes;
    c_.whole = static_cast<std::uint32_t>(o.whole);
  }
  binlog_compress_options& get() noexcept { return c_; }

 private:
  binlog_compress_options c_{};
};

template <class Function>
result<std::vector<compressed>> compress(Function function, const std::string& path, const compress_options& options,
                                         const std::string& log) {
  if (auto refused = nul_in({&path, &log})) return *refused;
  struct {
    std::vector<compressed> all;
    std::exception_ptr thrown; /* there was no memory for one */
  } made;
  const auto add = [](void* userdata, const binlog_compressed* c) {
    auto& into = *static_cast<decltype(made)*>(userdata);
    BINLOG_HPP_TRY {
      if (!into.thrown)
        into.all.push_back({c->path, c->source, c->sha256 ? c->sha256 : "", c->sequence, c->records, c->bytes_before,
                            c->bytes_after, c->source_removed != 0});
    } BINLOG_HPP_CATCH {
      into.thrown = std::current_exception();
    }
  };
  asked<progress> on_progress(options.on_progress);
  c_compress_options c(options);
  if (options.on_progress) {
    c.get().on_progress = asked<progress>::ask;
    c.get().on_progress_userdata = on_progress.userdata();
  }
  binlog_error* err = nullptr;
  const auto status = function(path.c_str(), or_null(log), &c.get(), add, &made, nullptr, &err);
  auto answer = detail::answer(status, err, std::move(made.all));
  on_progress.rethrow();
  if (made.thrown) std::rethrow_exception(made.thrown);
  return answer;
}
}  // namespace detail

/* Compresses the finished segments of each log in a directory, or of the one called `log`; one file; or the files that match
   a pattern. Writers and readers may have the log open, and go on. Each segment is there and whole at each moment. */
inline result<std::vector<compressed>> try_compress(const std::string& path, const compress_options& options = {},
                                                    const std::string& log = {}) {
  return detail::compress(binlog_compress, path, options, log);
}
inline std::vector<compressed> compress(const std::string& path, const compress_options& options = {},
                                        const std::string& log = {}) {
  return try_compress(path, options, log).value();
}

/* Makes ordinary segments of compressed ones, with the same records; files compressed as a whole become what they were. */
inline result<std::vector<compressed>> try_decompress(const std::string& path, const compress_options& options = {},
                                                      const std::string& log = {}) {
  return detail::compress(binlog_decompress, path, options, log);
}
inline std::vector<compressed> decompress(const std::string& path, const compress_options& options = {},
                                          const std::string& log = {}) {
  return try_decompress(path, options, log).value();
}

}  // namespace binlog
#endif
