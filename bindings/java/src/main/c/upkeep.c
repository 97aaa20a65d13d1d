/* Operations on whole logs: recovery, removal and compression of old segments, a new index; and the library's
 * version. */
#include "glue.h"

NATIVE(jint, versionNumber)(JNIEnv *env, jclass class) {
  (void)env, (void)class;
  return (jint)binlog_version_number();
}

NATIVE(jbyteArray, version)(JNIEnv *env, jclass class) {
  (void)class;
  return bytes_of(env, binlog_version());
}

NATIVE(jbyteArray, statusName)(JNIEnv *env, jclass class, jint status) {
  (void)class;
  return bytes_of(env, binlog_status_name(status));
}

NATIVE(void, recover)(JNIEnv *env, jclass class, jbyteArray source, jbyteArray target, jobject listener,
                      jlongArray out) {
  (void)class;
  struct arena arena = {0};
  const char *from = arena_text(env, &arena, source);
  const char *to = arena_text(env, &arena, target);
  if (!arena.failed) {
    binlog_error *err = NULL;
    binlog_recovery sums = {0};
    struct borrowed_callback callback = {env, listener};
    const binlog_loss_callback on_loss = listener == NULL ? NULL : on_borrowed_loss;
    const binlog_status status = to == NULL ? binlog_recover_in_place(from, on_loss, &callback, &sums, &err)
                                            : binlog_recover(from, to, on_loss, &callback, &sums, &err);
    if (status < 0) {
      raise_error(env, status, err);
    } else {
      const jlong numbers[] = {(jlong)sums.records, (jlong)sums.lost_records, (jlong)sums.losses, (jlong)sums.segments};
      (*env)->SetLongArrayRegion(env, out, 0, 4, numbers);
    }
  }
  arena_free(&arena);
}

NATIVE(jlong, rebuildIndex)(JNIEnv *env, jclass class, jbyteArray path) {
  (void)class;
  struct arena arena = {0};
  size_t written = 0;
  const char *where = arena_text(env, &arena, path);
  if (!arena.failed) {
    binlog_error *err = NULL;
    const binlog_status status = binlog_rebuild_index(where, &written, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
  return (jlong)written;
}

NATIVE(void, prune)(JNIEnv *env, jclass class, jbyteArray path, jbyteArray log, jobject keep, jint flags,
                    jobject list) {
  (void)class;
  struct arena arena = {0};
  const char *where = arena_text(env, &arena, path);
  const char *which = arena_text(env, &arena, log);
  const binlog_retention *rules = retention_of(env, &arena, keep);
  if (!arena.failed) {
    binlog_error *err = NULL;
    struct borrowed_callback callback = {env, list};
    const binlog_status status =
        binlog_prune(where, which, rules, (uint32_t)flags, on_pruned, &callback, NULL, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
}

NATIVE(void, compress)(JNIEnv *env, jclass class, jboolean back, jbyteArray path, jbyteArray log, jobject options,
                       jobject listener, jobject list) {
  (void)class;
  struct arena arena = {0};
  const char *where = arena_text(env, &arena, path);
  const char *which = arena_text(env, &arena, log);
  binlog_compress_options *how = compress_options_of(env, &arena, options);
  if (!arena.failed) {
    binlog_error *err = NULL;
    struct borrowed_callback progress = {env, listener};
    struct borrowed_callback each = {env, list};
    if (listener != NULL) {
      how->on_progress = on_progress;
      how->on_progress_userdata = &progress;
    }
    const binlog_status status = back ? binlog_decompress(where, which, how, on_compressed, &each, NULL, &err)
                                      : binlog_compress(where, which, how, on_compressed, &each, NULL, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
}
