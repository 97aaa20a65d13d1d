// binlog.hpp against the built library: every member, both ways of reporting errors, ownership. Built as C++17 and
// C++20.
#include "check.h"

#include "binlog.hpp"

#include <array>
#include <atomic>
#include <fstream>
#include <list>
#include <thread>
#include <type_traits>

namespace {

static_assert(!std::is_copy_constructible_v<binlog::writer> && std::is_nothrow_move_constructible_v<binlog::writer>);
static_assert(!std::is_copy_constructible_v<binlog::reader> && std::is_nothrow_move_constructible_v<binlog::reader>);
static_assert(!std::is_copy_constructible_v<binlog::cursor> && std::is_nothrow_move_constructible_v<binlog::cursor>);
static_assert(std::is_nothrow_copy_constructible_v<binlog::error>, "an exception is copied while it flies");

// The error that the call throws.
template <class Call>
binlog::error thrown_by(Call call) {
  try {
    call();
  } catch (const binlog::error& e) {
    CHECK(e.what()[0] != '\0' && e.status() < 0);
    return e;
  }
  CHECK(!"nothing was thrown");
  std::abort();
}

void writing(const std::string& log) {
  binlog::writer_options options;
  options.name = "app";
  options.content_type = "text/plain";
  options.parameters = {{"host", "here"}};
  options.codec = binlog::codec::lz4;
  options.background = true;
  options.flush_interval = binlog::never;
  options.full_disk = binlog::full_disk::wait;
  options.full_disk_wait = std::chrono::seconds(5);
  auto w = binlog::writer::open(log, options);
  CHECK(w.dropped() == 0);

  // Everything that has bytes is a payload.
  const std::vector<std::uint8_t> vector{'v', 'e', 'c'};
  const std::array<std::byte, 2> array{std::byte{'a'}, std::byte{'r'}};
  CHECK(w.append(1, "literal") == 1);
  CHECK(w.append(1, std::string("string")) == 2);
  CHECK(w.append(1, std::string_view("view")) == 3);
  CHECK(w.append(1, vector) == 4);
  CHECK(w.append(1, array) == 5);
  CHECK(w.append(1, {"pointer and size", 7}) == 6);
  CHECK(w.append(1, "") == 7);

  binlog::metadata who;
  who.add("who", "me").add("where", "").add("who", "not me");
  binlog::record r{2, "with metadata", who, 1'500'000'000};
  CHECK(w.append(r) == 8);
#if __cplusplus >= 202002L
  CHECK(w.append({.type = 2, .data = "designated", .metadata = binlog::metadata{{"k", "v"}}}) == 9);
#else
  CHECK(w.append(binlog::record{2, "designated", binlog::metadata{{"k", "v"}}}) == 9);
#endif

  CHECK(w.gather(3, {"ga", std::string("th"), "er"}) == 10);
  CHECK(w.gather(3, std::list<std::string>{"a ", "list"}) == 11);
  CHECK(w.gather(3, std::vector<std::vector<std::uint8_t>>{vector, vector}) == 12);
  const std::vector<binlog::slice> slices{"sli", "ces"};
  CHECK(w.gather(3, slices) == 13);
  CHECK(w.gather({3, {}, who, 0}, {"with ", "head"}) == 14);
  CHECK(w.try_gather(binlog::record{3}, slices).value() == 15);

  binlog::batch batch{{4, "first"}, {4, "second", who}};
  batch.add(4, "third").add(binlog::record{4, "fourth"});
  CHECK(batch.size() == 4 && w.append_batch(batch) == 16);
  CHECK(w.append_batch({{4, "fifth"}, {4, "sixth"}}) == 20);

  binlog::packed packed;
  packed.add({5, "packed", who, 7}).add({5, "again"});
  CHECK(w.append_packed(packed) == 22);

  const auto named = w.type("app.named", "text/plain");
  CHECK(named >= BINLOG_TYPE_NAMED && w.try_type("app.named", "text/plain").value() == named);
  CHECK(w.append(named, "named") == 24);

  w.flush();
  w.tick();
  CHECK(w.position().flushed_id == 24);
  w.roll();
  CHECK(w.append(6, "in the next segment") == 25);
  w.sync();
  CHECK(w.position().durable_id == 25 && w.position().appended_id == 25);
  w.close();
  w.close();  // twice is fine
  CHECK(!w);
}

void appending(const std::string& log) {
  auto w = binlog::writer::open(log);
  auto a = binlog::appender::open(w, {1 << 16});
  auto late = binlog::appender::open(w);
  CHECK(a && a.append(1, "one") && a.append({2, "two", binlog::metadata{{"k", "v"}}}));
  CHECK(a.gather(3, {"th", "ree"}) && a.append_batch({{4, "four"}, {4, "five"}}));
  binlog::packed packed;
  packed.add({5, "six"});
  CHECK(a.append_packed(packed));
  CHECK(w.position().appended_id == 0 && a.flush() == 6 && w.position().flushed_id == 6);
  auto moved = std::move(a);
  CHECK(!a && moved.append(6, "seven") && moved.close() == 7 && moved.close() == 0);
  CHECK(thrown_by([&] { a.append(1, "empty"); }).status() == BINLOG_E_INVALID);
  CHECK(late.append(7, "eight"));
  w.close();
  CHECK(thrown_by([&] { late.append(7, "closed"); }).status() == BINLOG_E_INVALID);
  CHECK(late.close() == 8);
  std::string text;
  auto reader = binlog::reader::open(log);
  for (const auto& r : reader.records()) text += std::string(r.text()) + " ";
  CHECK(text == "one two three four five six seven eight ");
}

void reading(const std::string& log) {
  const auto reader = binlog::reader::open(log);
  const auto segments = reader.segments();
  CHECK(segments.size() == 2 && segments[1].first_id == 25 && std::string(segments[0].name) == "app");

  const std::vector<std::string> expected{
      "literal", "string", "view", "vec", "ar", "pointer", "", "with metadata", "designated", "gather", "a list",
      "vecvec", "slices", "with head", "slices", "first", "second", "third", "fourth", "fifth", "sixth", "packed",
      "again", "named", "in the next segment"};
  std::size_t n = 0;
  for (const binlog::record_view& r : reader.records()) {
    CHECK(r.id() == n + 1 && r.text() == expected.at(n) && r.size() == expected[n].size());
    CHECK(r.has_payload() && !r.is_event() && r.bytes().size() == r.size());
    if (r.id() == 8) {
      CHECK(r.time_ns() == 1'500'000'000 && r.type() == 2);
      CHECK(std::chrono::duration_cast<std::chrono::milliseconds>(r.time().time_since_epoch()).count() == 1500);
      std::string all;
      for (const auto& [key, value] : r.metadata()) all += std::string(key) + "=" + std::string(value) + ";";
      CHECK(all == "who=me;where=;who=not me;");
      CHECK(r.metadata().find("who") == "me" && r.metadata().find("where") == "" && !r.metadata().find("why"));
    } else if (r.id() == 9) {
      CHECK(r.metadata().find("k") == "v");
    } else if (r.id() == 14) {
      CHECK(r.time_ns() == 0 && !r.metadata().empty());
    } else if (r.id() == 1) {
      CHECK(r.metadata().empty() && r.metadata().begin() == r.metadata().end());
    }
    n++;
  }
  CHECK(n == expected.size());

  // Batches and frames contain the same.
  auto cursor = reader.records();
  std::array<binlog::record_view, 4> room;
  n = 0;
  for (auto some = cursor.next_batch(room); !some.empty(); some = cursor.next_batch(room))
    for (const auto& r : some) CHECK(r.text() == expected.at(n++));
  CHECK(n == expected.size() && cursor.tail().state == BINLOG_TAIL_CLOSED && cursor.tail().next_id == 26);
  cursor = reader.records();
  std::vector<std::uint8_t> memory(300);
  n = 0;
  for (auto frames = cursor.read_packed(memory); !frames.empty(); frames = cursor.read_packed(memory))
    for (const auto& r : frames) CHECK(r.id() == n + 1 && r.text() == expected.at(n++));
  CHECK(n == expected.size());

  binlog::filter wanted;
  wanted.type_names = {"app.named"};
  wanted.types = {6};
  wanted.headers_only = true;
  auto found = reader.records(wanted);
  const auto first = found.next();
  CHECK(first && first->id() == 24 && !first->has_payload() && first->size() == 5 && first->bytes().empty());
  CHECK(found.type_name(first->type()) == "app.named" && !found.try_type_name(1));
  CHECK(found.next()->id() == 25 && !found.next());

  binlog::filter events;
  events.events = true;
  bool any = false;
  for (const auto& r : reader.records(events)) any = any || r.is_event();
  CHECK(any);
}

void errors(const std::string& scratch) {
  // The same failure, thrown and returned.
  const std::string missing = scratch + "/missing";
  const auto thrown = thrown_by([&] { binlog::reader::open(missing); });
  CHECK(thrown.status() == BINLOG_E_NOT_FOUND && thrown.path() == missing && thrown.record_id() == 0);
  const auto returned = binlog::reader::try_open(missing);
  CHECK(!returned && !returned.has_value() && returned.status() == BINLOG_E_NOT_FOUND);
  CHECK(std::string(returned.error().what()) == thrown.what());
  CHECK(thrown_by([&] { returned.value(); }).status() == BINLOG_E_NOT_FOUND);

  const std::string log = scratch + "/errors";
  binlog::writer_options small;
  small.full_disk_wait = std::chrono::seconds(1);
  CHECK(binlog::writer::try_open(log, small).status() == BINLOG_E_INVALID);  // a wait without full_disk::wait
  small.full_disk_wait = binlog::never;
  small.record_max_bytes = 10;
  auto w = binlog::writer::try_open(log, small);
  CHECK(w && w.status() == BINLOG_OK);
  CHECK(w->try_append(1, "01234567890").status() == BINLOG_E_TOO_LARGE);
  CHECK(thrown_by([&] { w->append(BINLOG_TYPE_EVENT, "x"); }).status() == BINLOG_E_INVALID);
  CHECK(thrown_by([&] { w->append_batch({{1, "fine"}, {1, "01234567890"}}); }).status() == BINLOG_E_TOO_LARGE);
  CHECK(thrown_by([&] { w->gather(1, {"012345", "67890"}); }).status() == BINLOG_E_TOO_LARGE);
  CHECK(thrown_by([&] { binlog::metadata().add("k", "\xFF"); }).status() == BINLOG_E_INVALID);
  CHECK(binlog::writer::try_open(log).status() == BINLOG_E_LOCKED);
  const std::uint8_t noise[] = {9, 9, 9};  // neither frames nor pairs
  CHECK(thrown_by([&] { binlog::packed_view(noise).begin(); }).status() == BINLOG_E_INVALID);
  CHECK(thrown_by([&] { binlog::metadata_view(noise).begin(); }).status() == BINLOG_E_CORRUPT);

  // Moved-from, closed and never opened objects return errors instead of crashing.
  binlog::writer moved = std::move(*w);
  CHECK(w->try_append(1, "x").status() == BINLOG_E_INVALID && w->try_close().has_value());
  CHECK(moved.append(1, "fine") == 1);
  moved.close();
  CHECK(moved.try_dropped().status() == BINLOG_E_INVALID);
  CHECK(moved.try_flush().status() == BINLOG_E_INVALID && moved.try_position().status() == BINLOG_E_INVALID);
  CHECK(binlog::reader().try_records().status() == BINLOG_E_INVALID);
  CHECK(binlog::reader().try_segments().status() == BINLOG_E_INVALID);
  CHECK(binlog::cursor().try_next().status() == BINLOG_E_INVALID);

  // Damage is an exception out of the loop, with its place.
  const std::string file = scratch + "/file";
  auto single = binlog::writer::open_file(file);
  CHECK(single.try_roll().status() == BINLOG_E_UNSUPPORTED);
  single.append(1, "good");
  single.flush();
  single.append(1, "soon to be bad");
  single.close();
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(f)), std::istreambuf_iterator<char>());
  f.clear();
  f.seekp(static_cast<std::streamoff>(content.find("to be bad")));
  f.put('T').flush();
  int good = 0;
  const auto damage = thrown_by([&] {
    for (const auto& r : binlog::reader::open(file).records()) good += r.text() == "good";
  });
  CHECK(good == 1 && damage.status() == BINLOG_E_CORRUPT && damage.path() == file && damage.offset() > 0);
}

void finding(const std::string& log) {
  constexpr int records = 1000;
  constexpr std::int64_t second = 1'000'000'000;
  binlog::writer_options small;
  small.block_bytes = 4096;
  small.segment_bytes = 20000;
  small.index_bytes = 5000;
  auto w = binlog::writer::open(log, small);
  const auto rare = w.type("rare");
  for (int i = 1; i <= records; i++) {
    const binlog::metadata pairs{{"tens", std::to_string(i / 10)}, {"odd", i % 2 ? "yes" : "no"}};
    w.append({i % 300 == 0 ? rare : 1u, "record " + std::to_string(i) + std::string(50, '.'), pairs, i * second});
  }
  w.close();

  const auto ids = [reader = binlog::reader::open(log)](const binlog::filter& wanted) {
    std::vector<std::uint64_t> found;
    for (const auto& r : reader.records(wanted)) found.push_back(r.id());
    return found;
  };
  using list = std::vector<std::uint64_t>;
  binlog::filter wanted;
  wanted.type_names = {"rare"};
  CHECK((ids(wanted) == list{300, 600, 900}));
  wanted.newest_first = true;
  CHECK((ids(wanted) == list{900, 600, 300}));
  wanted.last = 2;
  CHECK((ids(wanted) == list{900, 600}));
  wanted = {};
  wanted.metadata = {{"tens", "42"}, {"odd", "yes"}};
  CHECK((ids(wanted) == list{421, 423, 425, 427, 429}));
  wanted.metadata = {{"tens", "no"}};
  CHECK(ids(wanted).empty());
  wanted = {};
  wanted.last = 3;
  CHECK((ids(wanted) == list{998, 999, 1000}));

  const auto reader = binlog::reader::open(log);
  auto cursor = reader.records();
  CHECK(cursor.get(777)->time_ns() == 777 * second && cursor.next()->id() == 778);
  CHECK(!cursor.get(0) && !cursor.get(records + 1) && !cursor.next());
  CHECK(!cursor.try_get(records + 1).value());
  cursor.seek(500);
  CHECK(cursor.next()->id() == 500);
  cursor.seek_time(123 * second + 1);
  CHECK(cursor.next()->id() == 124);
  cursor.seek_end();
  CHECK(!cursor.next());
  const auto counts = reader.counts();
  CHECK(counts.size() == 2 && counts[0].type == 1 && counts[0].records == 997 && counts[0].name.empty());
  CHECK(!counts[0].several_numbers && !counts[1].several_numbers);
  CHECK(counts[1].type == rare && counts[1].records == 3 && counts[1].name == "rare");

  wanted.newest_first = true;
  cursor = reader.records(wanted);
  CHECK(cursor.try_get(1).status() == BINLOG_E_UNSUPPORTED && cursor.try_seek(1).status() == BINLOG_E_UNSUPPORTED);
  CHECK(thrown_by([&] { cursor.seek_time(1); }).status() == BINLOG_E_UNSUPPORTED);
  CHECK(thrown_by([&] { cursor.seek_end(); }).status() == BINLOG_E_UNSUPPORTED);
  CHECK(binlog::reader().try_counts().status() == BINLOG_E_INVALID);
  CHECK(binlog::cursor().try_get(1).status() == BINLOG_E_INVALID);
  CHECK(binlog::rebuild_index(log) == 0);
}

void describing(const std::string& log) {
  binlog::writer_options options;
  options.schema_bytes = 100;
  auto w = binlog::writer::open(log, options);
  const std::string schema("\x0a\0\x7b", 3);
  const binlog::type_options order{"order", "application/x-protobuf", "protobuf", "shop.Order", schema};
  const auto type = w.type_of(order);
  CHECK(type >= BINLOG_TYPE_NAMED && w.type_of(order) == type && w.type("order") == type);
  auto other = order;
  other.schema = {};
  CHECK(w.type_of(other) == type + 1);
  const std::string big(98, 'x');
  other.schema = big;
  CHECK(w.try_type_of(other).status() == BINLOG_E_TOO_LARGE);
  other.name = std::string("a\0b", 3);
  CHECK(w.try_type_of(other).status() == BINLOG_E_INVALID);
  w.append(type, "x");
  w.append(type + 1, "y");
  w.close();
  const auto reader = binlog::reader::open(log);
  const auto counts = reader.counts();
  CHECK(counts.size() == 1 && counts[0].name == "order" && counts[0].records == 2 && counts[0].several_numbers);
  auto cursor = reader.records();
  const auto info = cursor.type_info(cursor.next()->type());
  CHECK(info.type == type && info.name == "order" && info.content_type == "application/x-protobuf");
  CHECK(info.encoding == "protobuf" && info.message == "shop.Order" && info.schema == schema);
  CHECK(info.schema_sha256[0] != 0 || info.schema_sha256[1] != 0);
  CHECK(cursor.try_type_info(1).status() == BINLOG_E_NOT_FOUND);
  const auto types = reader.types();
  CHECK(types.size() == 2 && types[0].schema == schema && types[1].schema.empty());
  CHECK(types[1].schema_sha256 == decltype(info.schema_sha256){});
  CHECK(binlog::reader().try_types().status() == BINLOG_E_INVALID);
}

// What a function for losses throws: the first id of its loss.
struct from_on_loss {
  explicit from_on_loss(const binlog::loss& what) : first_id(what.first_id) {}
  std::uint64_t first_id;
};

// The first id of the exception that leaves the call, which is none of the library's.
template <class Call>
std::uint64_t first_id_of(Call call) {
  try {
    call();
  } catch (const from_on_loss& t) {
    return t.first_id;
  }
  CHECK(!"nothing was thrown");
  std::abort();
}

void flip(const std::string& file, const std::string& text) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(f)), std::istreambuf_iterator<char>());
  CHECK(content.find(text) != std::string::npos);
  f.clear();
  f.seekp(static_cast<std::streamoff>(content.find(text)));
  f.put('!').flush();
}

void salvaging(const std::string& base) {
  const std::string log = base + "/damaged", segment = log + "/default.0000000001.binlog";
  auto w = binlog::writer::open(log);
  for (int i = 1; i <= 9; i++) {
    w.append(1, "record " + std::to_string(i));
    w.flush();  // a block of its own
  }
  w.close();
  flip(segment, "record 3");
  flip(segment, "record 7");

  binlog::reader_options options;
  options.mode = binlog::reader_mode::strict;
  CHECK(thrown_by([&] { for (const auto& r : binlog::reader::open(log, options).records()) CHECK(r.id() < 3); })
            .status() == BINLOG_E_CORRUPT);

  // The function lives as long as anything may call it.
  std::vector<std::uint64_t> lost;
  auto alive = std::make_shared<int>();
  options.mode = binlog::reader_mode::salvage;
  options.on_loss = [&lost, alive](const binlog::loss& what) {
    CHECK(what.first_id == what.last_id && what.page_count == 1 && what.reason[0] != '\0');
    lost.push_back(what.first_id);
  };
  const std::weak_ptr<int> watched = alive;
  alive.reset();
  {
    auto reader = binlog::reader::open(log, options);
    options.on_loss = nullptr;
    auto cursor = reader.records();
    reader.close();
    CHECK(!watched.expired());
    int seen = 0;
    for (const auto& r : cursor) seen += r.id() != 3 && r.id() != 7;
    CHECK(seen == 7 && (lost == std::vector<std::uint64_t>{3, 7}));
    CHECK(cursor.try_seek(1).status() == BINLOG_E_UNSUPPORTED);
    cursor.close();
    CHECK(watched.expired());
  }
  int none = 0;
  for (const auto& r : binlog::reader::open(log, options).records()) none += r.id() > 0;  // without on_loss
  CHECK(none == 7);
  {
    auto dropped = std::make_shared<int>();
    const std::weak_ptr<int> gone = dropped;
    options.on_loss = [kept = std::move(dropped)](const binlog::loss&) { CHECK(kept != nullptr); };
    CHECK(binlog::reader::try_open(base + "/missing", options).status() == BINLOG_E_NOT_FOUND);
    options.on_loss = nullptr;
    CHECK(gone.expired());
  }

  // What it throws leaves the call in which it was called, whichever that is, and reading continues after the loss.
  options.on_loss = [](const binlog::loss& what) { throw from_on_loss(what); };
  const auto reader = binlog::reader::open(log, options);
  auto cursor = reader.records();
  CHECK(cursor.next()->id() == 1 && cursor.next()->id() == 2);
  CHECK(first_id_of([&] { cursor.next(); }) == 3);
  CHECK(cursor.next()->id() == 5);
  CHECK(first_id_of([&] { while (cursor.try_next().value()) {} }) == 7);
  CHECK(cursor.next()->id() == 9 && !cursor.next());
  std::array<binlog::record_view, 4> room;
  cursor = reader.records();
  CHECK(first_id_of([&] { while (!cursor.next_batch(room).empty()) {} }) == 3);
  std::vector<std::uint8_t> memory(300);
  CHECK(first_id_of([&] { while (!cursor.read_packed(memory).empty()) {} }) == 7);

  // Two threads, each with the exceptions of its own.
  std::atomic<int> caught{0};
  const auto read = [&] {
    auto mine = reader.records();
    for (const std::uint64_t expected : {3u, 7u})
      caught += first_id_of([&] { while (mine.next()) {} }) == expected;
    while (mine.next()) {}
  };
  std::thread other(read);
  read();
  other.join();
  CHECK(caught == 4);

  // An unreadable segment is reported when a cursor is opened.
  const std::string broken = base + "/broken";
  auto two = binlog::writer::open(broken);
  two.append(1, "first");
  two.roll();
  two.append(1, "second");
  two.close();
  std::ofstream(broken + "/default.0000000002.binlog", std::ios::trunc) << "no segment";
  CHECK(first_id_of([&] { (void)binlog::reader::open(broken, options).try_records(); }) == 0);

  // Recovery: complete, although on_loss threw.
  const std::string saved = base + "/saved", thrown_at = base + "/thrown-at";
  lost.clear();
  const auto note = [&](const binlog::loss& what) { lost.push_back(what.first_id); };
  const auto sums = binlog::recover(log, saved, note);
  CHECK(sums.records == 7 && sums.lost_records == 2 && sums.losses == 2 && sums.segments == 1 && lost.size() == 2);
  CHECK(first_id_of([&] { (void)binlog::try_recover(log, thrown_at, options.on_loss); }) == 3);
  options.mode = binlog::reader_mode::strict;
  for (const auto& where : {saved, thrown_at}) {
    int count = 0;
    for (const auto& r : binlog::reader::open(where, options).records()) count += r.id() > 0;
    CHECK(count == 7);
  }
  CHECK(binlog::try_recover(log, saved).status() == BINLOG_E_INVALID);
  CHECK(thrown_by([&] { binlog::recover(base + "/missing", base + "/new"); }).status() == BINLOG_E_NOT_FOUND);
  CHECK(binlog::recover(log, base + "/unheard").losses == 2);

  auto writing = binlog::writer::open(saved);
  CHECK(binlog::try_recover_in_place(saved).status() == BINLOG_E_LOCKED);
  CHECK(thrown_by([&] { binlog::rebuild_index(saved); }).status() == BINLOG_E_LOCKED);
  writing.close();
  CHECK(first_id_of([&] { binlog::recover_in_place(log, options.on_loss); }) == 3);
  CHECK(binlog::recover_in_place(log).segments == 0 && binlog::try_rebuild_index(log).value() == 0);
}

void following(const std::string& log) {
  auto w = binlog::writer::open(log);
  w.append(1, "one");
  w.flush();
  binlog::cursor cursor;
  {
    const auto reader = binlog::reader::open(log);
    cursor = reader.records();
  }  // the cursor outlives its reader
  int seen = 0;
  for (const auto& r : cursor) seen += r.text() == "one";
  CHECK(seen == 1 && cursor.tail().state == BINLOG_TAIL_LIVE);
  w.append(1, "two");
  w.flush();
  for (const auto& r : cursor) seen += r.text() == "two";  // continues where it stopped
  CHECK(seen == 2);
  {
    const auto dies_open = std::move(w);  // its destructor closes the log
  }
  CHECK(!cursor.next() && cursor.tail().state == BINLOG_TAIL_CLOSED);
}

// The conversions of text-like arguments, none of which is cut at a NUL.
void texts(const std::string& base) {
  const char bytes[4] = {1, 0, 2, 3};
  CHECK(binlog::slice(bytes).size() == 4 && binlog::slice("abc").size() == 3 && binlog::slice("a\0b").size() == 3);
  CHECK(binlog::slice("").size() == 0 && binlog::slice(std::string("x\0y", 3)).size() == 3);
  const unsigned char raw[3] = {1, 0, 0};
  const char* pointer = "text";
  CHECK(binlog::slice(raw).size() == 3 && binlog::slice(pointer).size() == 4);
  // Text in a larger room, or bytes? The compiler asks.
  static_assert(!std::is_constructible_v<binlog::slice, char (&)[4]>);

  const std::string nul("a\0b", 3);
  auto w = binlog::writer::open(base);
  CHECK(w.append(7, bytes) == 1);
  CHECK(w.try_type(nul).status() == BINLOG_E_INVALID && w.try_type("a", nul).status() == BINLOG_E_INVALID);
  CHECK(std::string(w.try_type(nul).error().what()) == "\"a...\" contains a NUL");
  binlog::writer_options options;
  options.name = nul;
  CHECK(binlog::writer::try_open(base + "/other", options).status() == BINLOG_E_INVALID);
  CHECK(binlog::writer::try_open(base + nul).status() == BINLOG_E_INVALID);
  options.name = "second";
  auto second = binlog::writer::open(base, options);
  CHECK(second.append(7, "of the second log") == 1);
  // Too many pairs, and none at all.
  binlog::metadata many;
  for (int i = 0; i < 65536; i++) many.add("k", "v");
  CHECK(w.try_append({8, "x", many}).status() == BINLOG_E_TOO_LARGE);
  std::uint64_t id = 77;
  binlog_error* err = nullptr;
  CHECK_OK(binlog_writer_append_batch(w.raw(), nullptr, 0, &id, &err), err);
  CHECK(id == 2 && w.append(8, "the next") == 2);
  w.close(), second.close();

  auto r = binlog::reader::open(base);
  CHECK(r.try_records({}).has_value());
  binlog::filter wanted;
  wanted.type_names = {nul};
  CHECK(r.try_records(wanted).status() == BINLOG_E_INVALID);
  wanted = {};
  wanted.metadata = {{"k", nul}};
  CHECK(r.try_records(wanted).status() == BINLOG_E_INVALID);
  binlog::reader_options one;
  one.log = "second";
  auto records = binlog::reader::open(base, one).records();
  CHECK(records.next()->text() == "of the second log" && !records.next());
  one.log = "third";
  CHECK(binlog::reader::try_open(base, one).status() == BINLOG_E_NOT_FOUND);
  one.log = nul;
  CHECK(binlog::reader::try_open(base, one).status() == BINLOG_E_INVALID);
}

// A wait is ended by another thread, and a loop may poll instead.
void interrupting(const std::string& log) {
  auto w = binlog::writer::open(log);
  auto r = binlog::reader::open(log);
  auto cursor = r.records();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    cursor.interrupt();
  });
  CHECK(thrown_by([&] { cursor.wait(); }).status() == BINLOG_E_INTERRUPTED);
  other.join();
  CHECK(!cursor.wait(std::chrono::milliseconds(5)) && !cursor.wait(std::chrono::seconds(-1)));
  const auto polled = cursor.descriptor();
  CHECK(polled.descriptor >= 0 && polled.look_after >= std::chrono::seconds(1));
  cursor.interrupt();
  CHECK(cursor.try_wait(std::chrono::seconds(0)).status() == BINLOG_E_INTERRUPTED);
}

void test(const char* scratch) {
  const std::string base(scratch);
  try {
    writing(base + "/log");
    appending(base + "/appended");
    reading(base + "/log");
    errors(base);
    finding(base + "/find");
    describing(base + "/described");
    salvaging(base);
    following(base + "/follow");
    texts(base + "/texts");
    interrupting(base + "/interrupting");
    CHECK(binlog::version()[0] != '\0');
  } catch (const binlog::error& e) {
    check_failed(__FILE__, __LINE__, e.what());
  }
}

}  // namespace

int main(int argc, char** argv) { return test_main(argc, argv, test); }
