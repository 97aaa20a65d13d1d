/* Shipping to a store: by a shipper, and within a writer. */
#include "glue.h"

#include <stdlib.h>

NATIVE(jlong, shipperOpen)(JNIEnv *env, jclass class, jbyteArray directory, jbyteArray log, jobject options) {
  (void)class;
  struct arena arena = {0};
  binlog_shipper *shipper = NULL;
  const char *where = arena_text(env, &arena, directory);
  const char *which = arena_text(env, &arena, log);
  const binlog_ship_options *how = ship_options_of(env, &arena, options);
  if (!arena.failed) {
    binlog_error *err = NULL;
    const binlog_status status = binlog_shipper_open(where, which, how, &shipper, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
  return AS_JLONG(shipper);
}

NATIVE(void, shipperClose)(JNIEnv *env, jclass class, jlong shipper) {
  (void)env, (void)class;
  binlog_shipper_close(HANDLE(binlog_shipper, shipper));
}

NATIVE(void, shipperStop)(JNIEnv *env, jclass class, jlong shipper) {
  (void)env, (void)class;
  binlog_shipper_stop(HANDLE(binlog_shipper, shipper));
}

NATIVE(void, shipperRun)(JNIEnv *env, jclass class, jlong shipper, jobject listener, jlongArray out) {
  (void)class;
  binlog_error *err = NULL;
  struct borrowed_shipping shipping = {env, listener, NULL};
  binlog_ship_report sums = {0};
  const binlog_status status = binlog_shipper_run(HANDLE(binlog_shipper, shipper),
                                                  listener == NULL ? NULL : on_ship_event, &shipping, &sums, &err);
  if (status < 0) {
    raise_error(env, status, err);
    return;
  }
  const jlong numbers[] = {(jlong)sums.uploaded_segments, (jlong)sums.uploaded_bytes, (jlong)sums.found_segments,
                           (jlong)sums.pruned_segments,   (jlong)sums.pruned_bytes,   (jlong)sums.stopped};
  (*env)->SetLongArrayRegion(env, out, 0, 6, numbers);
}

NATIVE(void, shipperFollow)(JNIEnv *env, jclass class, jlong shipper, jobject listener) {
  (void)class;
  binlog_error *err = NULL;
  struct borrowed_shipping shipping = {env, listener, NULL};
  const binlog_status status = binlog_shipper_follow(HANDLE(binlog_shipper, shipper),
                                                     listener == NULL ? NULL : on_ship_event, &shipping, &err);
  if (status < 0) raise_error(env, status, err);
}

NATIVE(void, shipperVerify)(JNIEnv *env, jclass class, jlong shipper, jint flags, jobject listener, jobject problems,
                            jlongArray out) {
  (void)class;
  binlog_error *err = NULL;
  struct borrowed_shipping shipping = {env, listener, problems};
  binlog_ship_verified sums = {0};
  const binlog_status status =
      binlog_shipper_verify(HANDLE(binlog_shipper, shipper), (uint32_t)flags, on_ship_problem,
                            listener == NULL ? NULL : on_ship_event, &shipping, &sums, &err);
  if (status < 0) {
    raise_error(env, status, err);
    return;
  }
  const jlong numbers[] = {(jlong)sums.sound_segments, (jlong)sums.sound_bytes,   (jlong)sums.waiting_segments,
                           (jlong)sums.first_sequence, (jlong)sums.last_sequence, (jlong)sums.stopped,
                           (jlong)sums.accepted_segments};
  (*env)->SetLongArrayRegion(env, out, 0, 7, numbers);
}

typedef binlog_status (*segment_call)(binlog_shipper *shipper, const char *segment, binlog_error **err);

static void change(JNIEnv *env, jlong shipper, jbyteArray segment, segment_call call) {
  struct arena arena = {0};
  const char *which = arena_text(env, &arena, segment);
  if (!arena.failed) {
    binlog_error *err = NULL;
    const binlog_status status = call(HANDLE(binlog_shipper, shipper), which, &err);
    if (status < 0) raise_error(env, status, err);
  }
  arena_free(&arena);
}

NATIVE(void, shipperAccept)(JNIEnv *env, jclass class, jlong shipper, jbyteArray segment) {
  (void)class;
  change(env, shipper, segment, binlog_shipper_accept);
}

NATIVE(void, shipperReplace)(JNIEnv *env, jclass class, jlong shipper, jbyteArray segment) {
  (void)class;
  change(env, shipper, segment, binlog_shipper_replace);
}

NATIVE(void, shipperForget)(JNIEnv *env, jclass class, jlong shipper) {
  (void)class;
  binlog_error *err = NULL;
  const binlog_status status = binlog_shipper_forget(HANDLE(binlog_shipper, shipper), &err);
  if (status < 0) raise_error(env, status, err);
}

static jobject status_object(JNIEnv *env, const binlog_ship_status *status) {
  const jlong numbers[] = {
      (jlong)status->waiting_segments,  (jlong)status->waiting_bytes, (jlong)status->oldest_waiting_ns,
      (jlong)status->uploaded_segments, (jlong)status->uploaded_bytes, (jlong)status->sent_bytes,
      (jlong)status->pruned_segments,   (jlong)status->failures,       (jlong)status->last_failure_ns,
      (jlong)status->last_upload_ns,    (jlong)status->shipped_up_to,  (jlong)status->damaged_segments,
      (jlong)status->missing_segments};
  const jsize n = (jsize)(sizeof numbers / sizeof *numbers);
  jbyteArray log = bytes_of(env, status->log);
  jbyteArray store = log == NULL ? NULL : bytes_of(env, status->store);
  jlongArray all = store == NULL ? NULL : (*env)->NewLongArray(env, n);
  if (all == NULL) return NULL;
  (*env)->SetLongArrayRegion(env, all, 0, n, numbers);
  return (*env)->CallStaticObjectMethod(env, upcalls.class, upcalls.ship_status, log, store, (jint)status->state,
                                        all);
}

NATIVE(jobject, shipperStatus)(JNIEnv *env, jclass class, jlong shipper) {
  (void)class;
  binlog_error *err = NULL;
  binlog_ship_status far;
  const binlog_status status = binlog_shipper_status(HANDLE(binlog_shipper, shipper), &far, &err);
  if (status < 0) {
    raise_error(env, status, err);
    return NULL;
  }
  return status_object(env, &far);
}

NATIVE(jobject, writerShipStatus)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  binlog_error *err = NULL;
  binlog_ship_status far;
  const binlog_status status = binlog_writer_ship_status(HANDLE(binlog_writer, writer), &far, &err);
  if (status < 0) {
    raise_error(env, status, err);
    return NULL;
  }
  return status_object(env, &far);
}

typedef binlog_status (*metrics_call)(jlong handle, char *buf, size_t cap, size_t *len, binlog_error **err);

static binlog_status metrics_of_shipper(jlong handle, char *buf, size_t cap, size_t *len, binlog_error **err) {
  return binlog_shipper_metrics(HANDLE(binlog_shipper, handle), buf, cap, len, err);
}

static binlog_status metrics_of_writer(jlong handle, char *buf, size_t cap, size_t *len, binlog_error **err) {
  return binlog_writer_ship_metrics(HANDLE(binlog_writer, handle), buf, cap, len, err);
}

static jbyteArray metrics(JNIEnv *env, jlong handle, metrics_call call) {
  for (size_t cap = 4096;;) {
    char *buf = malloc(cap);
    if (buf == NULL) {
      raise_no_memory(env);
      return NULL;
    }
    binlog_error *err = NULL;
    size_t len = 0;
    jbyteArray text = NULL;
    const binlog_status status = call(handle, buf, cap, &len, &err);
    const int again = status == BINLOG_E_TOO_LARGE && len >= cap;
    if (again) binlog_error_free(err);
    else if (status < 0) raise_error(env, status, err);
    else text = bytes_of(env, buf);
    free(buf);
    if (!again) return text;
    cap = len + 256; /* it may grow by some digits meanwhile */
  }
}

NATIVE(jbyteArray, shipperMetrics)(JNIEnv *env, jclass class, jlong shipper) {
  (void)class;
  return metrics(env, shipper, metrics_of_shipper);
}

NATIVE(jbyteArray, writerShipMetrics)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  return metrics(env, writer, metrics_of_writer);
}

/* Frees it. */
static jthrowable failure_of(JNIEnv *env, binlog_error *failure) {
  if (failure == NULL) return NULL;
  jthrowable made = exception_of(env, failure);
  binlog_error_free(failure);
  return made;
}

NATIVE(jthrowable, shipperLastFailure)(JNIEnv *env, jclass class, jlong shipper) {
  (void)class;
  return failure_of(env, binlog_shipper_last_failure(HANDLE(binlog_shipper, shipper)));
}

NATIVE(jthrowable, writerShipFailure)(JNIEnv *env, jclass class, jlong writer) {
  (void)class;
  return failure_of(env, binlog_writer_ship_failure(HANDLE(binlog_writer, writer)));
}
