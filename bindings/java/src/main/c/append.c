/* Appends records to a writer. Bytes of the heap are copied to the stack, when they are few, or to memory that is
 * freed after the call; those of direct buffers are passed to the library in place. */
#include "glue.h"

#include <stdlib.h>

/* Heap bytes up to here need no memory of their own. */
enum { STACK_BYTES = 4096 };

/* The result of an append: the id, 0 when the record was dropped, and with an exception pending. */
static jlong answer(JNIEnv *env, binlog_status status, uint64_t id, binlog_error *err) {
  if (__builtin_expect(status < 0, 0)) {
    raise_error(env, status, err);
    return 0;
  }
  return status == BINLOG_DROPPED ? 0 : (jlong)id;
}

/* `room`, or memory for `len` bytes if they do not fit into it; NULL, with an exception pending, when there is none.
 * `release` frees it. */
static uint8_t *memory_for(JNIEnv *env, uint8_t room[STACK_BYTES], size_t len) {
  if (__builtin_expect(len <= STACK_BYTES, 1)) return room;
  uint8_t *memory = malloc(len);
  if (memory == NULL) raise_no_memory(env);
  return memory;
}

static void release(uint8_t *memory, const uint8_t room[STACK_BYTES]) {
  if (__builtin_expect(memory != room, 0)) free(memory);
}

NATIVE(jlong, append)(JNIEnv *env, jclass class, jlong writer, jint type, jbyteArray data, jint offset, jint len) {
  (void)class;
  uint8_t room[STACK_BYTES];
  uint8_t *bytes = memory_for(env, room, (size_t)len);
  if (bytes == NULL) return 0;
  (*env)->GetByteArrayRegion(env, data, offset, len, (jbyte *)bytes);
  binlog_error *err = NULL;
  uint64_t id = 0;
  const binlog_status status =
      binlog_writer_append(HANDLE(binlog_writer, writer), (uint32_t)type, bytes, (size_t)len, &id, &err);
  release(bytes, room);
  return answer(env, status, id, err);
}

/* Where records go: to a writer or, where that is NULL, to an appender. */
struct target {
  binlog_writer *writer;
  binlog_appender *appender;
};

static binlog_status put_record(struct target to, const binlog_record *record, uint64_t *id, binlog_error **err) {
  return to.writer != NULL ? binlog_writer_append_record(to.writer, record, id, err)
                           : binlog_appender_append_record(to.appender, record, err);
}

static binlog_status put_parts(struct target to, const binlog_record *record, const binlog_slice *parts, size_t n,
                               uint64_t *id, binlog_error **err) {
  return to.writer != NULL ? binlog_writer_gather_record(to.writer, record, parts, n, id, err)
                           : binlog_appender_gather_record(to.appender, record, parts, n, err);
}

/* An appender returns no id; 1 says that the record was taken. */
static jlong append_record(JNIEnv *env, struct target to, jint type, jlong time, jint flags, jbyteArray metadata,
                           jbyteArray data, jint offset, jint len) {
  const size_t metadata_len = metadata == NULL ? 0 : (size_t)(*env)->GetArrayLength(env, metadata);
  uint8_t room[STACK_BYTES];
  uint8_t *bytes = memory_for(env, room, metadata_len + (size_t)len);
  if (bytes == NULL) return 0;
  if (metadata_len > 0) (*env)->GetByteArrayRegion(env, metadata, 0, (jsize)metadata_len, (jbyte *)bytes);
  (*env)->GetByteArrayRegion(env, data, offset, len, (jbyte *)(bytes + metadata_len));
  const binlog_record record = {.type = (uint32_t)type, .time_ns = time, .flags = (uint32_t)flags,
                                .metadata = bytes, .metadata_len = metadata_len,
                                .data = bytes + metadata_len, .len = (size_t)len};
  binlog_error *err = NULL;
  uint64_t id = 1;
  const binlog_status status = put_record(to, &record, &id, &err);
  release(bytes, room);
  return answer(env, status, id, err);
}

NATIVE(jlong, appendRecord)(JNIEnv *env, jclass class, jlong writer, jint type, jlong time, jint flags,
                            jbyteArray metadata, jbyteArray data, jint offset, jint len) {
  (void)class;
  const struct target to = {.writer = HANDLE(binlog_writer, writer)};
  return append_record(env, to, type, time, flags, metadata, data, offset, len);
}

NATIVE(jboolean, appenderAppend)(JNIEnv *env, jclass class, jlong appender, jint type, jlong time, jint flags,
                                 jbyteArray metadata, jbyteArray data, jint offset, jint len) {
  (void)class;
  const struct target to = {.appender = HANDLE(binlog_appender, appender)};
  return append_record(env, to, type, time, flags, metadata, data, offset, len) != 0;
}

/* One part of a gather: `len` bytes from `offset` on of a byte[] or a direct buffer. No reference to the object is
 * kept: the JVM has room for 65,534 local ones, and the array of the caller holds all of them until the call
 * returns. */
struct part {
  jint offset, len;
  const uint8_t *direct; /* NULL for a byte[] */
};

/* Finds the parts, and counts their bytes on the heap. */
static size_t look_at(JNIEnv *env, struct part *parts, jsize n, jobjectArray objects, jintArray ranges) {
  size_t heap_bytes = 0;
  for (jsize i = 0; i < n; i++) {
    jint range[2];
    (*env)->GetIntArrayRegion(env, ranges, 2 * i, 2, range);
    parts[i].offset = range[0];
    parts[i].len = range[1];
    parts[i].direct = NULL;
    if (range[1] < 0) {
      jobject buffer = (*env)->GetObjectArrayElement(env, objects, i);
      parts[i].direct = (*env)->GetDirectBufferAddress(env, buffer);
      parts[i].len = -(range[1] + 1);
      (*env)->DeleteLocalRef(env, buffer);
    } else {
      heap_bytes += (size_t)range[1];
    }
  }
  return heap_bytes;
}

static void copy_heap(JNIEnv *env, const struct part *parts, jsize n, jobjectArray objects, uint8_t *to,
                      binlog_slice *slices) {
  for (jsize i = 0; i < n; i++) {
    slices[i].len = (size_t)parts[i].len;
    if (parts[i].direct != NULL) {
      slices[i].data = parts[i].direct + parts[i].offset;
    } else {
      if (parts[i].len > 0) {
        jbyteArray bytes = (*env)->GetObjectArrayElement(env, objects, i);
        (*env)->GetByteArrayRegion(env, bytes, parts[i].offset, parts[i].len, (jbyte *)to);
        (*env)->DeleteLocalRef(env, bytes);
      }
      slices[i].data = to;
      to += parts[i].len;
    }
  }
}

static jlong gather(JNIEnv *env, struct target to, jint type, jlong time, jint flags, jbyteArray metadata,
                    jobjectArray objects, jintArray ranges, jint count) {
  const size_t n = (size_t)count;
  struct part few_parts[8];
  binlog_slice few_slices[8];
  uint8_t room[STACK_BYTES];
  struct arena arena = {0};
  struct part *parts = n <= 8 ? few_parts : arena_take(env, &arena, n * sizeof *parts);
  binlog_slice *slices = n <= 8 ? few_slices : arena_take(env, &arena, n * sizeof *slices);
  jlong id_or_zero = 0;
  if (!arena.failed) {
    const size_t metadata_len = metadata == NULL ? 0 : (size_t)(*env)->GetArrayLength(env, metadata);
    const size_t heap_bytes = metadata_len + look_at(env, parts, count, objects, ranges);
    uint8_t *bytes = memory_for(env, room, heap_bytes);
    if (bytes != NULL) {
      if (metadata_len > 0) (*env)->GetByteArrayRegion(env, metadata, 0, (jsize)metadata_len, (jbyte *)bytes);
      copy_heap(env, parts, count, objects, bytes + metadata_len, slices);
      const binlog_record record = {.type = (uint32_t)type, .time_ns = time, .flags = (uint32_t)flags,
                                    .metadata = bytes, .metadata_len = metadata_len};
      binlog_error *err = NULL;
      uint64_t id = 1;
      const binlog_status status = put_parts(to, &record, slices, n, &id, &err);
      release(bytes, room);
      id_or_zero = answer(env, status, id, err);
    }
  }
  arena_free(&arena);
  return id_or_zero;
}

NATIVE(jlong, gather)(JNIEnv *env, jclass class, jlong writer, jint type, jlong time, jint flags, jbyteArray metadata,
                      jobjectArray objects, jintArray ranges, jint count) {
  (void)class;
  const struct target to = {.writer = HANDLE(binlog_writer, writer)};
  return gather(env, to, type, time, flags, metadata, objects, ranges, count);
}

NATIVE(jboolean, appenderGather)(JNIEnv *env, jclass class, jlong appender, jint type, jlong time, jint flags,
                                 jbyteArray metadata, jobjectArray objects, jintArray ranges, jint count) {
  (void)class;
  const struct target to = {.appender = HANDLE(binlog_appender, appender)};
  return gather(env, to, type, time, flags, metadata, objects, ranges, count) != 0;
}

NATIVE(jlong, appendPacked)(JNIEnv *env, jclass class, jlong writer, jobject buffer, jint len) {
  (void)class;
  binlog_error *err = NULL;
  uint64_t id = 0;
  const uint8_t *frames = (*env)->GetDirectBufferAddress(env, buffer);
  const binlog_status status =
      binlog_writer_append_packed(HANDLE(binlog_writer, writer), frames, (size_t)len, &id, &err);
  return answer(env, status, id, err);
}
