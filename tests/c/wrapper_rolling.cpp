// binlog.hpp: rolling, hooks, retention, required facts and waiting. Built as C++17 and C++20.
#include "check.h"

#include "binlog.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

// The error that a call throws.
template <class F>
binlog::error thrown_by(F f) {
  try {
    f();
  } catch (const binlog::error& e) {
    return e;
  }
  check_failed(__FILE__, __LINE__, "nothing was thrown");
  std::abort();
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

// Whatever the result of a call, functions are given back: what they own is freed once.
void functions_are_given_back(const std::string& base) {
  const auto held = std::make_shared<int>(0);
  const auto use = [held](const auto&) { ++*held; };
  binlog::writer_options options;
  options.on_open = {use, binlog::hook::move_to(base)};
  options.on_close = {use, use};
  options.on_failure = use;
  options.roll.check = [held](const binlog::segment_state&) { return ++*held < 0; };
  const auto before = held.use_count();

  options.file_group = "no such group";
  CHECK(binlog::writer::try_open(base + "/refused", options).status() == BINLOG_E_INVALID);
  CHECK(held.use_count() == before);
  options.file_group.clear();
  options.on_open = {use, binlog::hook::change_extension("no dot")};
  CHECK(thrown_by([&] { binlog::writer::open(base + "/refused", options); }).status() == BINLOG_E_INVALID);
  options.on_open = {use};
  auto w = binlog::writer::open(base + "/given-back", options);
  CHECK(held.use_count() > before);
  w.append(1, "x");
  w.close();
  w = binlog::writer();
  CHECK(held.use_count() == before);
  binlog::writer none;
  CHECK(none.try_set_roll(options.roll).status() == BINLOG_E_INVALID && held.use_count() == before);
}

void hooks(const std::string& log) {
  std::vector<std::string> lines, failures;
  binlog::writer_options options;
  options.name = "orders";
  options.on_open = {[&](const binlog::segment_file& s) { lines.push_back("open " + std::to_string(s.sequence)); }};
  options.on_close = {
      [&](const binlog::segment_file& s) { lines.push_back(std::string("close ") + s.reason); },
      binlog::hook::change_extension(".done"),
      [&](const binlog::segment_file& s) -> std::optional<std::string> {
        CHECK(ends_with(s.path, ".done"));
        const std::string moved = std::string(s.path) + ".moved";
        CHECK(std::rename(s.path, moved.c_str()) == 0);
        return moved;
      },
      [](const binlog::segment_file& s) {
        CHECK(ends_with(s.path, ".moved"));
        throw std::runtime_error("the archive is away");
      },
      [](const binlog::segment_file&) { throw 7; },
      binlog::hook::remove()};
  options.on_failure = [&](const binlog::failure& f) {
    CHECK(f.status == BINLOG_E_IO && !f.path.empty());
    failures.push_back(f.message);
    throw std::runtime_error("is lost");
  };
  auto w = binlog::writer::open(log, options);
  w.append(1, "one");
  CHECK(w.try_roll("").status() == BINLOG_E_INVALID);
  w.roll("by hand");
  w.append(1, "two");
  CHECK(w.failures() == 2 && w.try_failures().value() == 2);
  w.close();
  CHECK(failures.size() == 4 && failures[0].find("the archive is away") != std::string::npos);
  std::string closes, opens;
  for (const auto& line : lines) (line[0] == 'o' ? opens : closes) += line + ";";
  CHECK(opens == "open 1;open 2;" && closes == "close by hand;close close;");
}

void rules(const std::string& base) {
  int failures = 0;
  binlog::writer_options options;
  options.flush_records = 1;
  options.roll.records = 2;
  options.keep.segments = 2;
  options.on_failure = [&](const binlog::failure& f) { failures += ends_with(f.message, "undecided"); };
  auto w = binlog::writer::open(base + "/rules", options);
  for (int i = 0; i < 7; i++) w.append(1, "x");
  w.flush();
  CHECK(binlog::reader::open(base + "/rules").segments().size() <= 2);

  binlog::roll_options roll;
  roll.name_template = "{name}-%Q";
  CHECK(thrown_by([&] { w.set_roll(roll); }).status() == BINLOG_E_INVALID);
  roll.name_template = "{name}-%Y.{seq}";
  roll.check = [](const binlog::segment_state& s) -> bool {
    if (s.records == 1) throw std::runtime_error("undecided");
    return s.records >= 3;
  };
  w.set_roll(roll);
  for (int i = 0; i < 7; i++) w.append(1, "y");
  w.close();
  CHECK(failures > 0);
  // The strings of a segment live as long as the reader.
  const auto reader = binlog::reader::open(base + "/rules");
  const auto last = reader.segments().back();
  CHECK(std::string(last.path).find("/default-2") != std::string::npos);
}

void requirements(const std::string& log) {
  binlog::writer_options options;
  options.parameters = {{"region", "eu"}};
  binlog::writer::open(log, options).close();
  binlog::reader_options reading;
  reading.require.parameters = {{"region", "eu"}};
  reading.require.name = "default";
  binlog::reader::open(log, reading);
  reading.require.content_type = "text/plain";
  CHECK(thrown_by([&] { binlog::reader::open(log, reading); }).status() == BINLOG_E_MISMATCH);
  options.require.parameters = {{"region", "us"}};
  CHECK(binlog::writer::try_open(log, options).status() == BINLOG_E_MISMATCH);
}

void waiting_and_missing(const std::string& log) {
  binlog::writer_options options;
  options.roll.records = 2;
  auto w = binlog::writer::open(log, options);
  w.append(1, "one");
  w.flush();
  auto cursor = binlog::reader::open(log).records();
  CHECK(cursor.next()->id() == 1 && !cursor.next());
  CHECK(!cursor.wait(0s) && !cursor.wait(-1h) && !cursor.wait(20ms) && !cursor.try_wait(1.5us).value());
  std::thread later([&] {
    std::this_thread::sleep_for(20ms);
    w.append(1, "two");
    w.flush();
  });
  cursor.wait();
  CHECK(cursor.next()->id() == 2);
  later.join();
  for (int i = 3; i <= 9; i++) w.append(1, "more");
  w.heartbeat();
  CHECK(cursor.wait(std::chrono::hours::max()));

  CHECK(binlog::prune(log, {0ms, 2, 0}, true).size() == 3);
  const auto gone = binlog::prune(log, {0ms, 2, 0}, false, "default");
  CHECK(gone.size() == 3 && gone[0].sequence == 1 && gone[2].last_id == 6 && gone[1].reason == "segments");
  CHECK(binlog::try_prune(log, {}).status() == BINLOG_E_INVALID);
  // The wait has opened the segment with 3 and 4, which is read to its end.
  CHECK(cursor.next()->id() == 3 && cursor.next()->id() == 4);
  const auto missed = thrown_by([&] { cursor.next(); });
  CHECK(missed.status() == BINLOG_E_MISSED && missed.missed() == std::pair(std::uint64_t{5}, std::uint64_t{6}));
  CHECK(cursor.next()->id() == 7 && !thrown_by([&] { binlog::reader::open(log + "-none"); }).missed());
}

// C reads a text up to its NUL: none is taken for what precedes that.
void no_text_is_cut_at_a_nul(const std::string& log) {
  const std::string nul("a\0b", 3), cut = log + nul.substr(1);
  const auto refuses = [](const auto& result) {
    return result.status() == BINLOG_E_INVALID && std::string(result.error().what()).find("contains a NUL") != std::string::npos;
  };
  binlog::failure failed{};
  {
    binlog::writer_options options;
    options.on_failure = [&](const binlog::failure& what) { failed = what; };
    options.on_close = {[&](const binlog::segment_file& segment) { return std::optional(segment.path + nul.substr(1)); }};
    auto w = binlog::writer::open(log, options);
    w.append(1, "one");
    w.roll();
    w.append(1, "two");
    CHECK(refuses(w.try_roll("a reason" + nul)));
    binlog::roll_options roll;
    roll.name_template = "{name}.{seq}" + nul;
    CHECK(refuses(w.try_set_roll(roll)));
    roll = {};
    roll.zone = "UTC" + nul.substr(1);
    CHECK(refuses(w.try_set_roll(roll)));
    w.close();
    CHECK(failed.status == BINLOG_E_INVALID && failed.message.find("contains a NUL") != std::string::npos);
  }
  using set = void (*)(binlog::writer_options&, const std::string&);
  const set sets[] = {
      [](auto& o, const auto& text) { o.require.name = "default" + text.substr(1); },
      [](auto& o, const auto& text) { o.require.content_type = text; },
      [](auto& o, const auto& text) { o.require.parameters = {{"k", text}}; },
      [](auto& o, const auto& text) { o.on_open = {binlog::hook::change_extension(".done" + text.substr(1))}; },
      [](auto& o, const auto& text) { o.on_close = {binlog::hook::move_to("." + text.substr(1))}; },
      [](auto& o, const auto& text) { o.ship.emplace().url = "file:///" + text; },
      [](auto& o, const auto& text) { o.ship.emplace().credentials = text; },
  };
  for (const set s : sets) {
    binlog::writer_options options;
    s(options, nul);
    CHECK(refuses(binlog::writer::try_open(log, options)));
  }
  CHECK(refuses(binlog::writer::try_open_file(log + "-file" + nul)));
  binlog::reader_options reading;
  reading.require.name = "default" + nul.substr(1);
  CHECK(refuses(binlog::reader::try_open(log, reading)));
  const binlog::retention one{0ms, 1, 0};
  CHECK(refuses(binlog::try_prune(cut, one)) && refuses(binlog::try_prune(log, one, false, "default" + nul.substr(1))));
  CHECK(refuses(binlog::try_recover(cut, log + "-new")) && refuses(binlog::try_recover(log, log + "-new" + nul)));
  CHECK(refuses(binlog::try_recover_in_place(cut)) && refuses(binlog::try_rebuild_index(cut)));
  CHECK(refuses(binlog::try_compress(cut)) && refuses(binlog::try_decompress(log, {}, "default" + nul.substr(1))));
  binlog::ship_options shipping;
  shipping.url = "file://" + log + "-store?create=true";
  CHECK(refuses(binlog::shipper::try_open(cut, shipping)));
  CHECK(refuses(binlog::shipper::try_open(log, shipping, "default" + nul.substr(1))));
  auto shipper = binlog::shipper::open(log, shipping);
  CHECK(refuses(shipper.try_accept("1" + nul.substr(1))) && refuses(shipper.try_replace("1" + nul.substr(1))));
  shipping.url += nul;
  CHECK(refuses(binlog::shipper::try_open(log, shipping)));
  const auto reader = binlog::reader::open(log);
  CHECK(reader.segments().size() == 2 && reader.counts().size() == 1);
}

void test(const char* scratch) {
  const std::string base(scratch);
  try {
    functions_are_given_back(base);
    hooks(base + "/hooks");
    rules(base);
    requirements(base + "/required");
    waiting_and_missing(base + "/waiting");
    no_text_is_cut_at_a_nul(base + "/texts");
  } catch (const binlog::error& e) {
    check_failed(__FILE__, __LINE__, e.what());
  }
}

}  // namespace

int main(int argc, char** argv) { return test_main(argc, argv, test); }
