/* Part of binlog.hpp: what is done to a log as a whole. */
#ifndef BINLOG_RECOVERY_HPP
#define BINLOG_RECOVERY_HPP

#include "loss.hpp"
#include "error.hpp"
#include "rolling.hpp"

#include <exception>
#include <string>
#include <vector>

namespace binlog {

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
   directory `target`. A loss is no error: the sums count it. */
inline result<recovery> try_recover(const std::string& source, const std::string& target,
                                    const loss_function& on_loss = {}) {
  if (auto refused = detail::nul_in({&source, &target})) return *refused;
  return detail::recover(on_loss, [&](auto... rest) { return binlog_recover(source.c_str(), target.c_str(), rest...); });
}
inline recovery recover(const std::string& source, const std::string& target, const loss_function& on_loss = {}) {
  return try_recover(source, target, on_loss).value();
}

/* Writes the damaged segments of a log anew, in place; the damaged files are kept beside them. BINLOG_E_LOCKED while a
   writer has the log open. */
inline result<recovery> try_recover_in_place(const std::string& path, const loss_function& on_loss = {}) {
  if (auto refused = detail::nul_in({&path})) return *refused;
  return detail::recover(on_loss, [&](auto... rest) { return binlog_recover_in_place(path.c_str(), rest...); });
}
inline recovery recover_in_place(const std::string& path, const loss_function& on_loss = {}) {
  return try_recover_in_place(path, on_loss).value();
}

/* Completes the index of each segment that lacks a part of it, and returns how many were written to. */
inline result<std::size_t> try_rebuild_index(const std::string& path) {
  if (auto refused = detail::nul_in({&path})) return *refused;
  std::size_t written = 0;
  binlog_error* err = nullptr;
  const auto status = binlog_rebuild_index(path.c_str(), &written, &err);
  return detail::answer(status, err, written);
}
inline std::size_t rebuild_index(const std::string& path) { return try_rebuild_index(path).value(); }

/* A segment that was removed, or would be. */
struct pruned {
  std::string path{};
  std::string reason{}; /* the rule that it went by: "age", "segments" or "bytes" */
  std::uint64_t sequence = 0;
  std::uint64_t bytes = 0;
  std::uint64_t first_id = 0;
  std::uint64_t last_id = 0; /* first_id - 1 when it holds no record */
};

/* Removes the old segments of each log in a directory, or of the one called `log`, and returns what went; with `dry_run`
   only what would go. A writer may have the log open. */
inline result<std::vector<pruned>> try_prune(const std::string& directory, const retention& keep, bool dry_run = false,
                                             const std::string& log = {}) {
  if (auto refused = detail::nul_in({&directory, &log})) return *refused;
  struct {
    std::vector<pruned> all;
    std::exception_ptr thrown; /* there was no memory for one */
  } gone;
  const auto add = [](void* userdata, const binlog_pruned* p) {
    auto& into = *static_cast<decltype(gone)*>(userdata);
    BINLOG_HPP_TRY {
      if (!into.thrown) into.all.push_back({p->path, p->reason, p->sequence, p->bytes, p->first_id, p->last_id});
    } BINLOG_HPP_CATCH {
      into.thrown = std::current_exception();
    }
  };
  const detail::c_retention rules(keep);
  const std::uint32_t flags = dry_run ? std::uint32_t{BINLOG_PRUNE_DRY_RUN} : 0u;
  binlog_error* err = nullptr;
  const auto status =
      binlog_prune(directory.c_str(), detail::or_null(log), rules.get(), flags, add, &gone, nullptr, &err);
  if (gone.thrown) std::rethrow_exception(gone.thrown);
  return detail::answer(status, err, std::move(gone.all));
}
inline std::vector<pruned> prune(const std::string& directory, const retention& keep, bool dry_run = false,
                                 const std::string& log = {}) {
  return try_prune(directory, keep, dry_run, log).value();
}

}  // namespace binlog
#endif
