/* A log that rolls: a segment holds three orders, or those up to a point that the program chooses. A hook is called with
   each segment that is closed, and moves it away under another name; a second one, the library's own, changes its
   extension. The files that were moved are a log like any other.

   Usage: rolling [LOG DIRECTORY] */
#include <binlog.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

static const char *file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* What the hook needs; the library only passes the pointer on. */
struct archive {
  const char *directory;
  unsigned segments;
  unsigned long long records;
};

/* Called when a segment is closed and durable, also for the last one of the log. It gets facts about the segment,
   may do with the file what it likes (upload it, compress it, move it), and returns where the file is afterwards:
   the next hook gets it from there. It must not write to the log. A failure goes to on_failure, and writing
   continues. */
static binlog_status file_away(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  struct archive *archive = userdata;
  char path[512];
  snprintf(path, sizeof path, "%s/%s-%llu-to-%llu.binlog", archive->directory, segment->log,
           (unsigned long long)segment->first_id, (unsigned long long)(segment->first_id + segment->records - 1));
  if (rename(segment->path, path) != 0) {
    binlog_hook_result_set_error(result, strerror(errno), NULL);
    return BINLOG_E_IO;
  }
  archive->segments++;
  archive->records += segment->records;
  printf("%s: %llu records, closed because of %s; now %s\n", file_name(segment->path),
         (unsigned long long)segment->records, segment->reason, file_name(path));
  return binlog_hook_result_set_path(result, path, NULL);
}

/* Gets the failures that no call returns: of hooks, and of removing old segments. */
static void complain(void *userdata, const binlog_error *error) {
  (void)userdata;
  fprintf(stderr, "%s\n", binlog_error_message(error));
}

int main(int argc, char **argv) {
  const char *directory = argc > 1 ? argv[1] : "rolling-log";
  char filed[512], pattern[600];
  snprintf(filed, sizeof filed, "%s-filed", directory);
  snprintf(pattern, sizeof pattern, "%s/*.done", filed);
  if (mkdir(filed, 0755) != 0 && errno != EEXIST) return perror(filed), 1;

  /* Rules may be combined, and the first that is met rolls: at each full hour in Berlin, after 90 minutes, after
     three records, and at the size that every log has. */
  binlog_roll_options roll = {.struct_size = sizeof roll, .records = 3};
  /* .period_s = 3600, .zone = "Europe/Berlin", .age_ms = 90 * 60 * 1000, .name_template = "{name}.{seq}.%Y-%m-%dT%H" */

  struct archive archive = {.directory = filed};
  const binlog_hook on_close[] = {
      {.kind = BINLOG_HOOK_CALL, .call = file_away, .userdata = &archive}, /* .drop would free the userdata */
      {.kind = BINLOG_HOOK_CHANGE_EXTENSION, .argument = ".done"},
  };
  binlog_writer_options options = {.struct_size = sizeof options, .name = "orders", .roll = &roll,
                                   .segment_bytes = 100 * 1024 * 1024,
                                   .on_close = on_close, .on_close_count = 2, .on_failure = complain};

  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  check(binlog_writer_open(directory, &options, &writer, &err), &err);
  for (int i = 1; i <= 8; i++) {
    char order[32];
    const int len = snprintf(order, sizeof order, "order number %d", i);
    check(binlog_writer_append(writer, 1, order, (size_t)len, NULL, &err), &err);
    if (i == 4) check(binlog_writer_roll_because(writer, "the price list", &err), &err);
  }
  check(binlog_writer_close(writer, &err), &err);
  printf("%u segments with %llu records are filed away\n", archive.segments, archive.records);

  /* A pattern reads the files as the one log that they are: each file's header contains its number, whatever its
     name. */
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  binlog_status status;
  check(binlog_reader_open(pattern, NULL, &reader, &err), &err);
  check(binlog_cursor_open(reader, NULL, &cursor, &err), &err);
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK)
    printf("%llu: %.*s\n", (unsigned long long)record.id, (int)record.len, (const char *)record.data);
  check(status, &err);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return 0;
}
