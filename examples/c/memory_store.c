/* A store of the program's own: a table of functions over objects in the memory of this process. A store for a server
   looks the same, with requests in place of the list.

   Usage: memory_store                 ships a log to it and reads it back from there */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* clock_gettime, strdup */
#endif
#include <binlog.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ the objects */

/* An object, or an upload that has not become one yet. */
typedef struct object {
  struct object *next;
  char *name;
  char token[32]; /* of an upload; "" of an object */
  unsigned char *data;
  uint64_t bytes; /* how many are there */
  uint64_t whole; /* how many there will be */
  int64_t modified_ns;
  uint8_t sha256[32];
  char tag[65];
} object;

typedef struct memory_store {
  pthread_mutex_t lock;
  object *objects;
  object *uploads;
  unsigned long long uploads_begun;
  int handles; /* tables that were given out */
} memory_store;

/* One for the whole process: the reader finds what was shipped. */
static memory_store the_store = {.lock = PTHREAD_MUTEX_INITIALIZER};

static object *find(object *list, const char *name) {
  while (list != NULL && strcmp(list->name, name) != 0) list = list->next;
  return list;
}

static void free_object(object *it) {
  free(it->name);
  free(it->data);
  free(it);
}

/* Removes it from its list. */
static void take(object **list, object *it) {
  while (*list != NULL && *list != it) list = &(*list)->next;
  if (*list != NULL) *list = it->next;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ------------------------------------------------------------------ the table */

static binlog_status fails(const binlog_store_reply *reply, uint32_t again, binlog_status status, const char *why) {
  reply->failed(reply->context, again, -1, 0, NULL, why);
  return status;
}

static binlog_status is_missing(const binlog_store_reply *reply) {
  return fails(reply, BINLOG_STORE_WHEN_MENDED, BINLOG_E_NOT_FOUND, "there is no such object");
}

static void answer_object(const binlog_store_reply *reply, const object *it) {
  const binlog_store_object facts = {.struct_size = sizeof facts,
                                     .name = it->name,
                                     .bytes = it->bytes,
                                     .modified_ns = it->modified_ns,
                                     .tag = it->tag,
                                     .sha256 = it->sha256};
  reply->object(reply->context, &facts);
}

static binlog_status store_stat(void *userdata, const binlog_store_reply *reply, const char *name) {
  memory_store *store = userdata;
  pthread_mutex_lock(&store->lock);
  const object *it = find(store->objects, name);
  if (it != NULL) answer_object(reply, it);
  pthread_mutex_unlock(&store->lock);
  return BINLOG_OK;
}

/* The upload that an earlier attempt has begun, if it is of the same file; else a new one. */
static object *begin(memory_store *store, const binlog_store_upload *upload) {
  for (object *it = store->uploads; it != NULL && upload->resume != NULL; it = it->next)
    if (strcmp(it->token, upload->resume) == 0 && strcmp(it->name, upload->name) == 0 && it->whole == upload->bytes &&
        memcmp(it->sha256, upload->sha256, sizeof it->sha256) == 0)
      return it;
  object *it = calloc(1, sizeof *it);
  if (it == NULL) return NULL;
  it->name = strdup(upload->name);
  it->data = malloc(upload->bytes > 0 ? upload->bytes : 1);
  it->whole = upload->bytes;
  if (it->name == NULL || it->data == NULL) {
    free_object(it);
    return NULL;
  }
  memcpy(it->sha256, upload->sha256, sizeof it->sha256);
  for (int i = 0; i < 32; i++) snprintf(it->tag + 2 * i, 3, "%02x", upload->sha256[i]);
  snprintf(it->token, sizeof it->token, "upload-%llu", ++store->uploads_begun);
  it->modified_ns = now_ns();
  it->next = store->uploads;
  store->uploads = it;
  return it;
}

/* The lock is held while the file is read: a store for a server would not do so. */
static binlog_status send(memory_store *store, const binlog_store_reply *reply, const binlog_store_upload *upload,
                          uint32_t *exists) {
  if (find(store->objects, upload->name) != NULL) {
    *exists = 1;
    return BINLOG_OK;
  }
  object *it = begin(store, upload);
  if (it == NULL) return fails(reply, BINLOG_STORE_LATER, BINLOG_E_NO_MEMORY, "there is no memory for the object");
  if (it->bytes > 0) upload->found(upload->context, it->bytes);
  if (upload->part_count > 1) {
    const binlog_status noted = upload->note(upload->context, it->token);
    if (noted < 0) return fails(reply, BINLOG_STORE_LATER, noted, "the upload could not be noted");
  }
  while (it->bytes < it->whole) {
    if (upload->stop(upload->context))
      return fails(reply, BINLOG_STORE_LATER, BINLOG_E_IO, "the upload was stopped");
    const uint64_t left = it->whole - it->bytes;
    const size_t wanted = left < upload->part_bytes ? (size_t)left : (size_t)upload->part_bytes;
    size_t n = 0;
    const int32_t failed = upload->read(upload->context, it->bytes, it->data + it->bytes, wanted, &n);
    if (failed != 0 || n != wanted)
      return fails(reply, BINLOG_STORE_WHEN_MENDED, failed ? BINLOG_E_IO : BINLOG_E_MISMATCH,
                   "the file cannot be read, or is shorter than it was");
    it->bytes += n;
    upload->sent(upload->context, n);
  }
  take(&store->uploads, it);
  it->token[0] = 0;
  it->modified_ns = now_ns();
  it->next = store->objects;
  store->objects = it;
  return BINLOG_OK;
}

static binlog_status store_upload(void *userdata, const binlog_store_reply *reply, const binlog_store_upload *upload,
                                  uint32_t *exists) {
  memory_store *store = userdata;
  pthread_mutex_lock(&store->lock);
  const binlog_status status = send(store, reply, upload, exists);
  pthread_mutex_unlock(&store->lock);
  return status;
}

static binlog_status store_read(void *userdata, const binlog_store_reply *reply, const char *name,
                                const binlog_store_range *ranges, size_t count) {
  memory_store *store = userdata;
  binlog_status status = BINLOG_OK;
  pthread_mutex_lock(&store->lock);
  const object *it = find(store->objects, name);
  if (it == NULL) status = is_missing(reply);
  for (size_t i = 0; i < count && status == BINLOG_OK; i++) {
    if (ranges[i].end > it->bytes)
      status = fails(reply, BINLOG_STORE_WHEN_MENDED, BINLOG_E_INVALID, "the range does not lie in the object");
    else
      reply->bytes(reply->context, i, it->data + ranges[i].begin, (size_t)(ranges[i].end - ranges[i].begin));
  }
  if (status == BINLOG_OK) reply->version(reply->context, it->tag);
  pthread_mutex_unlock(&store->lock);
  return status;
}

static binlog_status store_read_end(void *userdata, const binlog_store_reply *reply, const char *name,
                                    uint64_t bytes) {
  memory_store *store = userdata;
  pthread_mutex_lock(&store->lock);
  const object *it = find(store->objects, name);
  if (it != NULL) {
    const uint64_t n = bytes < it->bytes ? bytes : it->bytes;
    answer_object(reply, it);
    reply->bytes(reply->context, 0, it->data + (it->bytes - n), (size_t)n);
  }
  const binlog_status status = it == NULL ? is_missing(reply) : BINLOG_OK;
  pthread_mutex_unlock(&store->lock);
  return status;
}

static binlog_status store_list(void *userdata, const binlog_store_reply *reply, const char *prefix) {
  memory_store *store = userdata;
  pthread_mutex_lock(&store->lock);
  for (const object *it = store->objects; it != NULL; it = it->next)
    if (strncmp(it->name, prefix, strlen(prefix)) == 0) answer_object(reply, it);
  pthread_mutex_unlock(&store->lock);
  return BINLOG_OK;
}

static binlog_status store_remove(void *userdata, const binlog_store_reply *reply, const char *name) {
  memory_store *store = userdata;
  (void)reply;
  pthread_mutex_lock(&store->lock);
  object *it = find(store->objects, name);
  if (it != NULL) {
    take(&store->objects, it);
    free_object(it);
  }
  pthread_mutex_unlock(&store->lock);
  return BINLOG_OK;
}

static binlog_status store_abort(void *userdata, const binlog_store_reply *reply, const char *name,
                                 const char *token) {
  memory_store *store = userdata;
  (void)reply;
  pthread_mutex_lock(&store->lock);
  object *it = store->uploads;
  while (it != NULL && (strcmp(it->name, name) != 0 || strcmp(it->token, token) != 0)) it = it->next;
  if (it != NULL) {
    take(&store->uploads, it);
    free_object(it);
  }
  pthread_mutex_unlock(&store->lock);
  return BINLOG_OK;
}

static binlog_status store_abort_stale(void *userdata, const binlog_store_reply *reply, const char *prefix,
                                       uint64_t age_ms, uint64_t *given_up) {
  memory_store *store = userdata;
  (void)reply;
  pthread_mutex_lock(&store->lock);
  const int64_t now = now_ns();
  *given_up = 0;
  for (object *it = store->uploads, *next; it != NULL; it = next) {
    next = it->next;
    if (strncmp(it->name, prefix, strlen(prefix)) == 0 && (uint64_t)(now - it->modified_ns) / 1000000 >= age_ms) {
      take(&store->uploads, it);
      free_object(it);
      *given_up += 1;
    }
  }
  pthread_mutex_unlock(&store->lock);
  return BINLOG_OK;
}

/* The objects are freed with the last table. */
static void store_drop(void *userdata) {
  memory_store *store = userdata;
  pthread_mutex_lock(&store->lock);
  if (--store->handles == 0) {
    for (object *it = store->objects, *next; it != NULL; it = next) next = it->next, free_object(it);
    for (object *it = store->uploads, *next; it != NULL; it = next) next = it->next, free_object(it);
    store->objects = store->uploads = NULL;
  }
  pthread_mutex_unlock(&store->lock);
}

/* A binlog_store_open_callback. */
binlog_status memory_store_open(void *userdata, const binlog_store_reply *reply, const char *url,
                                const binlog_store_options *options, binlog_store *store) {
  (void)userdata, (void)options;
  if (strncmp(url, "memory://", 9) != 0)
    return fails(reply, BINLOG_STORE_WHEN_MENDED, BINLOG_E_UNSUPPORTED, "this store's URLs begin with memory://");
  *store = (binlog_store){.struct_size = sizeof *store,
                          .userdata = &the_store,
                          .url = url,
                          .stat = store_stat,
                          .upload = store_upload,
                          .read = store_read,
                          .read_end = store_read_end,
                          .list = store_list,
                          .remove = store_remove,
                          .abort = store_abort,
                          .abort_stale = store_abort_stale,
                          .drop = store_drop};
  pthread_mutex_lock(&the_store.lock);
  the_store.handles++;
  pthread_mutex_unlock(&the_store.lock);
  return BINLOG_OK;
}

/* ------------------------------------------------------------------ a log in it */

#ifndef MEMORY_STORE_ALONE

static void check(binlog_status status, binlog_error **err) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", *err != NULL ? binlog_error_message(*err) : binlog_status_name(status));
  exit(1);
}

int main(int argc, char **argv) {
  const char *directory = argc > 1 ? argv[1] : "memory-store-log";
  const char *url = "memory://example";
  binlog_error *err = NULL;
  binlog_writer *writer = NULL;
  check(binlog_writer_open(directory, NULL, &writer, &err), &err);
  for (int i = 0; i < 1000; i++) {
    char text[32];
    const int len = snprintf(text, sizeof text, "record %d", i);
    check(binlog_writer_append(writer, 1, text, (size_t)len, NULL, &err), &err);
  }
  check(binlog_writer_roll(writer, &err), &err);
  check(binlog_writer_close(writer, &err), &err);

  const binlog_ship_options options = {
      .struct_size = sizeof options, .url = url, .open_store = memory_store_open, .first_delay_ms = 10};
  binlog_shipper *shipper = NULL;
  check(binlog_shipper_open(directory, NULL, &options, &shipper, &err), &err);
  binlog_ship_report report;
  check(binlog_shipper_run(shipper, NULL, NULL, &report, &err), &err);
  printf("%" PRIu64 " segments, %" PRIu64 " bytes shipped\n", report.uploaded_segments, report.uploaded_bytes);

  /* The shipper stays open while the log is read: the objects are freed with the last table. */
  const binlog_reader_options reading = {.struct_size = sizeof reading, .open_store = memory_store_open};
  binlog_reader *reader = NULL;
  check(binlog_reader_open(url, &reading, &reader, &err), &err);
  binlog_cursor *cursor = NULL;
  check(binlog_cursor_open(reader, NULL, &cursor, &err), &err);
  uint64_t records = 0;
  binlog_record record;
  binlog_status status;
  while ((status = binlog_cursor_next(cursor, &record, &err)) == BINLOG_OK) records++;
  check(status, &err);
  printf("%" PRIu64 " records read from %s\n", records, url);
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  binlog_shipper_close(shipper);
  return records == 1000 ? 0 : 1;
}

#endif
