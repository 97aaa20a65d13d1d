/* A log and its archive: a writer rolls, a shipper beside it compresses the closed segments and sends them to a store, and
   the log is read back from there. A writer can do the same by itself: binlog_writer_options.ship.

   Usage: archive [LOG DIRECTORY [URL OF THE STORE]]

   The URL may be one of s3://, gs://, az:// and swift://, whose credentials are in the environment; without one, the store is
   a directory beside the log. */
#include <binlog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

static const char *file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Called with each event. A return value other than 0 would end the run, and the next run would continue there. */
static int32_t follow(void *userdata, const binlog_ship_event *event) {
  (void)userdata;
  if (event->kind == BINLOG_SHIP_EVENT_UPLOADED) printf("shipped %s\n", file_name(event->path));
  if (event->kind == BINLOG_SHIP_EVENT_PRUNED) printf("removed %s here\n", file_name(event->path));
  if (event->kind == BINLOG_SHIP_EVENT_FAILED) fprintf(stderr, "%s\n", binlog_error_message(event->error));
  return 0;
}

static void complain(void *userdata, const binlog_ship_problem *problem) {
  (void)userdata;
  fprintf(stderr, "%s\n", problem->message);
}

int main(int argc, char **argv) {
  const char *directory = argc > 1 ? argv[1] : "archive-log";
  const char *url = argc > 2 ? argv[2] : NULL;
  char here[4096], made[4200];
  if (url == NULL) {
    if (getcwd(here, sizeof here) == NULL) return perror("getcwd"), 1;
    snprintf(made, sizeof made, "file://%s/archive-store?create=true", here);
    url = made;
  }
  binlog_error *err = NULL;

  /* Only segments that are closed and have a successor are shipped: they never change again. Rolling at the end puts
     all records into such segments. */
  binlog_writer_options options = {.struct_size = sizeof options, .name = "orders"};
  binlog_writer *writer = NULL;
  check(binlog_writer_open(directory, &options, &writer, &err), &err);
  for (int i = 1; i <= 300; i++) {
    char order[64];
    const int len = snprintf(order, sizeof order, "{\"order\":%d,\"customer\":\"somebody\"}", i);
    check(binlog_writer_append(writer, 1, order, (size_t)len, NULL, &err), &err);
    if (i % 100 == 0) check(binlog_writer_roll(writer, &err), &err);
  }
  check(binlog_writer_close(writer, &err), &err);

  /* Each segment is compressed, sent, and confirmed by its checksum; the newest two stay here, including the one
     that is being written. A step that fails is retried for five minutes. */
  const binlog_compress_options compress = {.struct_size = sizeof compress};
  const binlog_retention keep = {.struct_size = sizeof keep, .segments = 2};
  const binlog_ship_options archive = {
      .struct_size = sizeof archive, .url = url, .compress = &compress, .keep = &keep};
  binlog_shipper *shipper = NULL;
  binlog_ship_report report;
  check(binlog_shipper_open(directory, "orders", &archive, &shipper, &err), &err);
  check(binlog_shipper_run(shipper, follow, NULL, &report, &err), &err);
  printf("%llu segments are in the store, %llu were removed here\n", (unsigned long long)report.uploaded_segments,
         (unsigned long long)report.pruned_segments);

  /* For monitoring: numbers, and the same as text for Prometheus. */
  binlog_ship_status status;
  check(binlog_shipper_status(shipper, &status, &err), &err);
  printf("%llu segments wait, %llu steps have failed\n", (unsigned long long)status.waiting_segments,
         (unsigned long long)status.failures);

  /* Does the store hold everything that was sent? */
  binlog_ship_verified verified;
  check(binlog_shipper_verify(shipper, 0, complain, NULL, NULL, &verified, &err), &err);
  printf("%llu segments are sound, %llu problems\n", (unsigned long long)verified.sound_segments,
         (unsigned long long)verified.problems);
  binlog_shipper_close(shipper);

  /* The store is read like a directory, without fetching all of it. */
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  check(binlog_reader_open(url, NULL, &reader, &err), &err);
  check(binlog_cursor_open(reader, NULL, &cursor, &err), &err);
  check(binlog_cursor_get(cursor, 150, &record, &err), &err);
  printf("%llu: %.*s\n", (unsigned long long)record.id, (int)record.len, (const char *)record.data);
  check(binlog_cursor_seek(cursor, 1, &err), &err);
  unsigned long long count = 0;
  binlog_status next;
  while ((next = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) count++;
  check(next, &err);
  printf("%llu records are in the store\n", count);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  return 0;
}
