/* Errors of the library as exceptions. */
#include "glue.h"

#include <string.h>

jbyteArray bytes_of(JNIEnv *env, const char *text) {
  if (text == NULL) return NULL;
  const jsize len = (jsize)strlen(text);
  jbyteArray bytes = (*env)->NewByteArray(env, len);
  if (bytes != NULL) (*env)->SetByteArrayRegion(env, bytes, 0, len, (const jbyte *)text);
  return bytes;
}

void raise_error(JNIEnv *env, binlog_status status, binlog_error *err) {
  uint64_t first = 0, last = 0;
  (void)binlog_error_missed(err, &first, &last);
  jbyteArray message = bytes_of(env, err != NULL ? binlog_error_message(err) : binlog_status_name(status));
  jbyteArray path = message != NULL ? bytes_of(env, binlog_error_path(err)) : NULL;
  if (path != NULL) {
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.raise, (jint)status, message, path,
                                 (jlong)binlog_error_offset(err), (jint)binlog_error_os_code(err),
                                 (jlong)binlog_error_record_id(err), (jlong)first, (jlong)last);
  }
  binlog_error_free(err);
}

void raise_too_large(JNIEnv *env, const char *what) {
  jbyteArray message = bytes_of(env, what);
  jbyteArray path = message != NULL ? bytes_of(env, "") : NULL;
  if (path == NULL) return;
  (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.raise, (jint)BINLOG_E_TOO_LARGE, message, path, (jlong)-1,
                               (jint)0, (jlong)0, (jlong)0, (jlong)0);
}

void raise_no_memory(JNIEnv *env) {
  jclass class = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
  if (class != NULL) (*env)->ThrowNew(env, class, "no memory outside of the heap");
}
