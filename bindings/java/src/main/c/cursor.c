/* A cursor. Records are passed as packed frames (see binlog_packed_next), as many of one block at once as fit into
 * the cursor's buffer, and from there into an array of their own in the heap: no record of Java refers to memory
 * that the cursor reuses. */
#include "glue.h"

#include <stdlib.h>
#include <string.h>

/* More than this is fetched at once only for a longer record. It stays in the processor's second cache. */
enum { BUFFER_BYTES = 65536, FRAME_BYTES = 40 };
/* The longest array of the JVM's, nearly. */
static const size_t LONGEST_BYTES = 0x7FFFFFF0;
/* Where nothing signals new records: as often as the library itself looks there. */
static const int64_t LOOK_NS = 100000000;

struct cursor {
  binlog_cursor *raw;
  int seeks;
  uint8_t *buffer;
  size_t cap;  /* of the buffer: BUFFER_BYTES, or more while it has a long record */
  size_t kept; /* bytes in the buffer that the heap had no room for: the next fetch returns them */
};

/* The header of a packed frame; little-endian in memory, whatever the machine. */
static void put(uint8_t *to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * i));
}

/* One record as a frame in the heap, however long it is. */
static jbyteArray frame_of(JNIEnv *env, const binlog_record *record) {
  const size_t payload = record->data == NULL ? 0 : record->len;
  const size_t size = (FRAME_BYTES + record->metadata_len + payload + 7) & ~(size_t)7;
  if (size > LONGEST_BYTES) {
    raise_too_large(env, "a record that is longer than an array of the JVM can be");
    return NULL;
  }
  jbyteArray frame = (*env)->NewByteArray(env, (jsize)size);
  if (frame == NULL) return NULL;
  uint8_t header[FRAME_BYTES];
  put(header, size, 4);
  put(header + 4, record->type, 4);
  put(header + 8, record->id, 8);
  put(header + 16, (uint64_t)record->time_ns, 8);
  put(header + 24, record->metadata_len, 4);
  put(header + 28, record->len, 4);
  put(header + 32, record->flags, 4);
  put(header + 36, 0, 4);
  const jsize metadata_len = (jsize)record->metadata_len;
  (*env)->SetByteArrayRegion(env, frame, 0, FRAME_BYTES, (const jbyte *)header);
  if (metadata_len > 0)
    (*env)->SetByteArrayRegion(env, frame, FRAME_BYTES, metadata_len, (const jbyte *)record->metadata);
  if (payload > 0)
    (*env)->SetByteArrayRegion(env, frame, FRAME_BYTES + metadata_len, (jsize)payload, (const jbyte *)record->data);
  return frame;
}

NATIVE(jlong, cursorOpen)(JNIEnv *env, jclass class, jlong reader, jobject filter, jboolean seeks) {
  (void)class;
  struct arena arena = {0};
  struct cursor *cursor = NULL;
  const binlog_filter *wanted = filter_of(env, &arena, filter);
  if (!arena.failed) {
    cursor = calloc(1, sizeof *cursor);
    uint8_t *buffer = malloc(BUFFER_BYTES);
    binlog_error *err = NULL;
    binlog_status status = BINLOG_OK;
    if (cursor == NULL || buffer == NULL) {
      raise_no_memory(env);
      status = BINLOG_E_IO;
    } else {
      cursor->buffer = buffer;
      cursor->cap = BUFFER_BYTES;
      cursor->seeks = seeks != JNI_FALSE;
      status = binlog_cursor_open(HANDLE(binlog_reader, reader), wanted, &cursor->raw, &err);
      if (status < 0) raise_error(env, status, err);
    }
    if (status < 0) {
      free(buffer);
      free(cursor);
      cursor = NULL;
    }
  }
  arena_free(&arena);
  return AS_JLONG(cursor);
}

NATIVE(void, cursorClose)(JNIEnv *env, jclass class, jlong handle) {
  (void)env, (void)class;
  struct cursor *cursor = HANDLE(struct cursor, handle);
  binlog_cursor_close(cursor->raw);
  free(cursor->buffer);
  free(cursor);
}

/* Fetches the next record, which is longer than the buffer, alone. If that fails, it remains the next one. */
static jbyteArray fetch_long(JNIEnv *env, struct cursor *cursor) {
  binlog_error *err = NULL;
  binlog_record record;
  const binlog_status status = binlog_cursor_next(cursor->raw, &record, &err);
  if (status < 0) raise_error(env, status, err);
  if (status != BINLOG_OK) return NULL;
  const uint64_t id = record.id;
  jbyteArray frame = frame_of(env, &record);
  if (frame == NULL) {
    /* The pending exception contains the reason. */
    const binlog_status sought = binlog_cursor_seek(cursor->raw, id, NULL);
    (void)sought;
  }
  return frame;
}

/* Gives the buffer `cap` bytes; 0, with an exception pending, when there is no memory for them. Its contents are
   lost. */
static int resize(JNIEnv *env, struct cursor *cursor, size_t cap) {
  uint8_t *buffer = malloc(cap);
  if (buffer == NULL) {
    raise_no_memory(env);
    return 0;
  }
  free(cursor->buffer);
  cursor->buffer = buffer;
  cursor->cap = cap;
  return 1;
}

NATIVE(jbyteArray, cursorFetch)(JNIEnv *env, jclass class, jlong handle) {
  (void)class;
  struct cursor *cursor = HANDLE(struct cursor, handle);
  while (cursor->kept == 0) {
    binlog_error *err = NULL;
    size_t n = 0;
    const binlog_status status =
        binlog_cursor_read_packed(cursor->raw, cursor->buffer, cursor->cap, &cursor->kept, &n, &err);
    if (status == BINLOG_OK) break;
    cursor->kept = 0;
    if (status != BINLOG_E_TOO_LARGE) {
      if (status < 0) raise_error(env, status, err);
      return NULL;
    }
    binlog_error_free(err);
    /* A cursor that does not seek cannot go back to a record for which the heap has no room: it is kept here. */
    if (cursor->seeks || cursor->cap > LONGEST_BYTES / 2) return fetch_long(env, cursor);
    if (!resize(env, cursor, 2 * cursor->cap)) return NULL;
  }
  jbyteArray frames = (*env)->NewByteArray(env, (jsize)cursor->kept);
  if (frames == NULL) return NULL;
  (*env)->SetByteArrayRegion(env, frames, 0, (jsize)cursor->kept, (const jbyte *)cursor->buffer);
  cursor->kept = 0;
  if (cursor->cap > BUFFER_BYTES && !resize(env, cursor, BUFFER_BYTES)) (*env)->ExceptionClear(env);
  return frames;
}

NATIVE(jbyteArray, cursorGet)(JNIEnv *env, jclass class, jlong handle, jlong id) {
  (void)class;
  binlog_error *err = NULL;
  binlog_record record;
  const binlog_status status = binlog_cursor_get(HANDLE(struct cursor, handle)->raw, (uint64_t)id, &record, &err);
  if (status != BINLOG_E_UNSUPPORTED) HANDLE(struct cursor, handle)->kept = 0; /* the cursor is elsewhere now */
  if (status == BINLOG_OK) return frame_of(env, &record);
  if (status == BINLOG_E_NOT_FOUND) binlog_error_free(err);
  else raise_error(env, status, err);
  return NULL;
}

NATIVE(void, cursorSeek)(JNIEnv *env, jclass class, jlong handle, jlong id) {
  (void)class;
  binlog_error *err = NULL;
  const binlog_status status = binlog_cursor_seek(HANDLE(struct cursor, handle)->raw, (uint64_t)id, &err);
  if (status < 0) raise_error(env, status, err);
  else HANDLE(struct cursor, handle)->kept = 0;
}

NATIVE(void, cursorSeekTime)(JNIEnv *env, jclass class, jlong handle, jlong time) {
  (void)class;
  binlog_error *err = NULL;
  const binlog_status status = binlog_cursor_seek_time(HANDLE(struct cursor, handle)->raw, time, &err);
  if (status < 0) raise_error(env, status, err);
  else HANDLE(struct cursor, handle)->kept = 0;
}

NATIVE(void, cursorSeekEnd)(JNIEnv *env, jclass class, jlong handle) {
  (void)class;
  binlog_error *err = NULL;
  const binlog_status status = binlog_cursor_seek_end(HANDLE(struct cursor, handle)->raw, &err);
  if (status < 0) raise_error(env, status, err);
  else HANDLE(struct cursor, handle)->kept = 0;
}

NATIVE(jboolean, cursorLook)(JNIEnv *env, jclass class, jlong handle) {
  (void)class;
  struct cursor *cursor = HANDLE(struct cursor, handle);
  if (cursor->kept > 0) return JNI_TRUE;
  binlog_error *err = NULL;
  const binlog_status status = binlog_cursor_wait(cursor->raw, 0, &err);
  /* A signal to this thread must not end a wait of Java. */
  if (status == BINLOG_E_INTERRUPTED) binlog_error_free(err);
  else if (status < 0) raise_error(env, status, err);
  return status == BINLOG_OK ? JNI_TRUE : JNI_FALSE;
}

NATIVE(jint, cursorDescriptor)(JNIEnv *env, jclass class, jlong handle, jlongArray look_after) {
  (void)class;
  binlog_error *err = NULL;
  int descriptor = -1;
  int64_t nanos = 0;
  const binlog_status status =
      binlog_cursor_descriptor(HANDLE(struct cursor, handle)->raw, &descriptor, &nanos, &err);
  if (status == BINLOG_E_IO || status == BINLOG_E_UNSUPPORTED) {
    binlog_error_free(err);
    descriptor = -1;
    nanos = LOOK_NS;
  } else if (status < 0) {
    raise_error(env, status, err);
    return -1;
  }
  const jlong value = nanos;
  (*env)->SetLongArrayRegion(env, look_after, 0, 1, &value);
  return descriptor;
}

NATIVE(jobject, cursorTail)(JNIEnv *env, jclass class, jlong handle) {
  (void)class;
  binlog_error *err = NULL;
  binlog_tail tail;
  const binlog_status status = binlog_cursor_tail(HANDLE(struct cursor, handle)->raw, &tail, &err);
  if (status < 0) {
    raise_error(env, status, err);
    return NULL;
  }
  jbyteArray path = bytes_of(env, tail.path);
  jbyteArray reason = path == NULL ? NULL : bytes_of(env, tail.reason);
  if (reason == NULL) return NULL;
  return (*env)->CallStaticObjectMethod(env, upcalls.class, upcalls.tail, (jint)tail.state, (jlong)tail.next_id,
                                        (jlong)tail.offset, (jlong)tail.unread_bytes, path, reason);
}

NATIVE(jbyteArray, cursorTypeName)(JNIEnv *env, jclass class, jlong handle, jint type) {
  (void)class;
  binlog_error *err = NULL;
  binlog_slice name;
  const binlog_status status =
      binlog_cursor_type_name(HANDLE(struct cursor, handle)->raw, (uint32_t)type, &name, &err);
  if (status == BINLOG_OK) {
    jbyteArray bytes = (*env)->NewByteArray(env, (jsize)name.len);
    if (bytes != NULL) (*env)->SetByteArrayRegion(env, bytes, 0, (jsize)name.len, (const jbyte *)name.data);
    return bytes;
  }
  if (status == BINLOG_E_NOT_FOUND) binlog_error_free(err);
  else raise_error(env, status, err);
  return NULL;
}

NATIVE(jobject, cursorType)(JNIEnv *env, jclass class, jlong handle, jint type) {
  (void)class;
  binlog_error *err = NULL;
  binlog_type_info info;
  const binlog_status status = binlog_cursor_type(HANDLE(struct cursor, handle)->raw, (uint32_t)type, &info, &err);
  if (status == BINLOG_OK) return type_info(env, NULL, &info);
  if (status == BINLOG_E_NOT_FOUND) binlog_error_free(err);
  else raise_error(env, status, err);
  return NULL;
}
