/* The functions that the library calls, and their Java objects. The methods of Upcalls that are called here catch
 * what a user's function throws; the code here clears what the JVM itself throws, such as an overflow of the
 * stack. */
#include "glue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct callback {
  jobject target; /* a global reference */
  struct callback *next; /* while an arena has it */
};

/* The number of Java objects that the library holds; tests check it. */
static atomic_long live;

NATIVE(jlong, liveCallbacks)(JNIEnv *env, jclass class) {
  (void)env, (void)class;
  return atomic_load(&live);
}

struct callback *callback_new(JNIEnv *env, struct arena *arena, jobject target) {
  if (arena->failed) return NULL;
  struct callback *callback = malloc(sizeof *callback);
  if (callback != NULL) {
    callback->target = (*env)->NewGlobalRef(env, target);
    if (callback->target != NULL) {
      callback->next = arena->callbacks;
      arena->callbacks = callback;
      atomic_fetch_add(&live, 1);
      return callback;
    }
    free(callback);
  }
  arena->failed = 1;
  if (!(*env)->ExceptionCheck(env)) raise_no_memory(env);
  return NULL;
}

void callbacks_handed_over(struct arena *arena) { arena->callbacks = NULL; }

void callbacks_forget(struct callback *first) {
  for (struct callback *next; first != NULL; first = next) {
    next = first->next;
    callback_drop(first);
  }
}

void callback_drop(void *userdata) {
  struct callback *callback = userdata;
  JNIEnv *env = attached_env();
  /* A JVM that is ending frees its references itself. */
  if (env != NULL) (*env)->DeleteGlobalRef(env, callback->target);
  free(callback);
  atomic_fetch_sub(&live, 1);
}

/* Room for the references of one callback: a thread of the library never returns to Java, which would free them. */
static JNIEnv *begin(JNIEnv *env) {
  if (env == NULL || (*env)->PushLocalFrame(env, 16) == 0) return env;
  (*env)->ExceptionClear(env);
  return NULL;
}

static void end(JNIEnv *env) {
  if ((*env)->ExceptionCheck(env)) (*env)->ExceptionClear(env);
  (*env)->PopLocalFrame(env, NULL);
}

/* Passes NUL-terminated bytes from Java to one of the setters of a hook's result. */
typedef binlog_status (*result_setter)(binlog_hook_result *, const char *, binlog_error **);

static binlog_status set_result(JNIEnv *env, binlog_hook_result *result, jbyteArray text, result_setter setter) {
  struct arena arena = {0};
  const char *copy = arena_text(env, &arena, text);
  const binlog_status status = copy == NULL ? BINLOG_E_IO : setter(result, copy, NULL);
  arena_free(&arena);
  return status;
}

binlog_status on_hook(void *userdata, const binlog_segment_file *segment, binlog_hook_result *result) {
  struct callback *callback = userdata;
  JNIEnv *env = begin(attached_env());
  if (env == NULL) {
    binlog_hook_result_set_error(result, "the JVM takes no more threads", NULL);
    return BINLOG_E_IO;
  }
  binlog_status status = BINLOG_E_IO;
  jbyteArray path = bytes_of(env, segment->path);
  jbyteArray log = path == NULL ? NULL : bytes_of(env, segment->log);
  jbyteArray reason = log == NULL ? NULL : bytes_of(env, segment->reason);
  if (reason != NULL) {
    jobjectArray said = (*env)->CallStaticObjectMethod(
        env, upcalls.class, upcalls.hook, callback->target, path, log, reason, (jlong)segment->sequence,
        (jlong)segment->created_ns, (jlong)segment->first_id, (jlong)segment->records, (jlong)segment->bytes);
    if (!(*env)->ExceptionCheck(env)) {
      /* Nothing; or where the file is now, and why the hook has failed. */
      status = BINLOG_OK;
      if (said != NULL) {
        jbyteArray moved = (*env)->GetObjectArrayElement(env, said, 0);
        jbyteArray failed = (*env)->GetObjectArrayElement(env, said, 1);
        if (moved != NULL) status = set_result(env, result, moved, binlog_hook_result_set_path);
        if (failed != NULL) {
          set_result(env, result, failed, binlog_hook_result_set_error);
          status = BINLOG_E_IO;
        }
      }
    }
  }
  end(env);
  return status;
}

int32_t on_roll_check(void *userdata, const binlog_segment_state *state) {
  struct callback *callback = userdata;
  JNIEnv *env = begin(attached_env());
  if (env == NULL) return 0;
  jboolean yes = JNI_FALSE;
  jbyteArray path = bytes_of(env, state->path);
  if (path != NULL) {
    yes = (*env)->CallStaticBooleanMethod(env, upcalls.class, upcalls.check, callback->target, path,
                                          (jlong)state->sequence, (jlong)state->created_ns, (jlong)state->now_ns,
                                          (jlong)state->bytes, (jlong)state->first_id, (jlong)state->records);
    if ((*env)->ExceptionCheck(env)) yes = JNI_FALSE;
  }
  end(env);
  return yes == JNI_TRUE;
}

void on_failure(void *userdata, const binlog_error *error) {
  struct callback *callback = userdata;
  JNIEnv *env = begin(attached_env());
  if (env == NULL) return;
  jbyteArray message = bytes_of(env, binlog_error_message(error));
  jbyteArray path = message == NULL ? NULL : bytes_of(env, binlog_error_path(error));
  if (path != NULL) {
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.failure, callback->target,
                                 (jint)binlog_error_status(error), message, path, (jlong)binlog_error_offset(error),
                                 (jint)binlog_error_os_code(error));
  }
  end(env);
}

static void report_loss(JNIEnv *env, jobject target, const binlog_loss *loss) {
  env = begin(env);
  if (env == NULL) return;
  jbyteArray path = bytes_of(env, loss->path);
  jbyteArray reason = path == NULL ? NULL : bytes_of(env, loss->reason);
  if (reason != NULL) {
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.loss, target, path, reason, (jlong)loss->offset,
                                 (jlong)loss->bytes, (jlong)loss->first_id, (jlong)loss->last_id,
                                 (jlong)loss->first_page, (jlong)loss->page_count,
                                 (jboolean)(loss->durable != 0 ? JNI_TRUE : JNI_FALSE), (jint)loss->kind);
  }
  end(env);
}

void on_loss(void *userdata, const binlog_loss *loss) {
  report_loss(attached_env(), ((struct callback *)userdata)->target, loss);
}

void on_borrowed_loss(void *userdata, const binlog_loss *loss) {
  struct borrowed_callback *callback = userdata;
  report_loss(callback->env, callback->target, loss);
}

void on_pruned(void *userdata, const binlog_pruned *pruned) {
  struct borrowed_callback *callback = userdata;
  JNIEnv *env = begin(callback->env);
  if (env == NULL) return;
  jbyteArray path = bytes_of(env, pruned->path);
  jbyteArray reason = path == NULL ? NULL : bytes_of(env, pruned->reason);
  if (reason != NULL) {
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.pruned, callback->target, path, reason,
                                 (jlong)pruned->sequence, (jlong)pruned->bytes, (jlong)pruned->first_id,
                                 (jlong)pruned->last_id);
  }
  end(env);
}

void on_type_count(void *userdata, const binlog_type_count *counted) {
  struct borrowed_callback *callback = userdata;
  JNIEnv *env = begin(callback->env);
  if (env == NULL) return;
  jbyteArray name = bytes_of(env, counted->name);
  if (name != NULL || counted->name == NULL) {
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.type_count, callback->target, (jint)counted->type,
                                 (jlong)counted->records, name, (jboolean)counted->several_numbers);
  }
  end(env);
}

/* A byte[] of these bytes; NULL for none, and with an exception pending when there is no memory. */
static jbyteArray array_of(JNIEnv *env, const void *bytes, size_t len) {
  if (len == 0) return NULL;
  jbyteArray array = (*env)->NewByteArray(env, (jsize)len);
  if (array != NULL) (*env)->SetByteArrayRegion(env, array, 0, (jsize)len, bytes);
  return array;
}

jobject type_info(JNIEnv *env, jobject list, const binlog_type_info *info) {
  static const uint8_t none[sizeof info->schema_sha256];
  const int has_schema = memcmp(info->schema_sha256, none, sizeof none) != 0;
  jobject made = NULL;
  if ((*env)->PushLocalFrame(env, 16) != 0) return NULL;
  jbyteArray name = bytes_of(env, info->name);
  jbyteArray content_type = name == NULL ? NULL : bytes_of(env, info->content_type);
  jbyteArray encoding = content_type == NULL ? NULL : bytes_of(env, info->encoding);
  jbyteArray message = encoding == NULL ? NULL : bytes_of(env, info->message);
  if (message != NULL) {
    jbyteArray schema = array_of(env, info->schema, info->schema_len);
    jbyteArray sum = (*env)->ExceptionCheck(env) || !has_schema
                         ? NULL
                         : array_of(env, info->schema_sha256, sizeof info->schema_sha256);
    if (!(*env)->ExceptionCheck(env)) {
      made = (*env)->CallStaticObjectMethod(env, upcalls.class, upcalls.type_info, list, (jint)info->type, name,
                                            content_type, encoding, message, schema, sum);
    }
  }
  return (*env)->PopLocalFrame(env, made);
}

void on_type_info(void *userdata, const binlog_type_info *info) {
  struct borrowed_callback *callback = userdata;
  JNIEnv *env = begin(callback->env);
  if (env == NULL) return;
  type_info(env, callback->target, info);
  end(env);
}

void on_compressed(void *userdata, const binlog_compressed *compressed) {
  struct borrowed_callback *callback = userdata;
  JNIEnv *env = begin(callback->env);
  if (env == NULL) return;
  jbyteArray path = bytes_of(env, compressed->path);
  jbyteArray source = path == NULL ? NULL : bytes_of(env, compressed->source);
  jbyteArray sha256 = source == NULL ? NULL : bytes_of(env, compressed->sha256);
  if (sha256 != NULL || (source != NULL && compressed->sha256 == NULL)) {
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.compressed, callback->target, path, source, sha256,
                                 (jlong)compressed->sequence, (jlong)compressed->records,
                                 (jlong)compressed->bytes_before, (jlong)compressed->bytes_after,
                                 (jboolean)(compressed->source_removed != 0 ? JNI_TRUE : JNI_FALSE));
  }
  end(env);
}

/* What the JVM itself throws stops the call, as what the user's function throws does. */
int32_t on_progress(void *userdata, const binlog_progress *progress) {
  struct borrowed_callback *callback = userdata;
  JNIEnv *env = begin(callback->env);
  if (env == NULL) return 1;
  jboolean goes_on = JNI_FALSE;
  jbyteArray path = bytes_of(env, progress->path);
  if (path != NULL) {
    goes_on = (*env)->CallStaticBooleanMethod(env, upcalls.class, upcalls.progress, callback->target, path,
                                              (jlong)progress->done, (jlong)progress->bytes);
    if ((*env)->ExceptionCheck(env)) goes_on = JNI_FALSE;
  }
  end(env);
  return goes_on != JNI_TRUE;
}

int32_t on_ship_event(void *userdata, const binlog_ship_event *event) {
  struct borrowed_shipping *shipping = userdata;
  JNIEnv *env = begin(shipping->env);
  if (env == NULL) return 1;
  jboolean goes_on = JNI_FALSE;
  jbyteArray path = bytes_of(env, event->path);
  jthrowable error = event->error == NULL || (*env)->ExceptionCheck(env) ? NULL : exception_of(env, event->error);
  if (!(*env)->ExceptionCheck(env)) {
    goes_on = (*env)->CallStaticBooleanMethod(env, upcalls.class, upcalls.ship_event, shipping->listener,
                                              (jint)event->kind, (jboolean)(event->found != 0 ? JNI_TRUE : JNI_FALSE),
                                              path, (jlong)event->sequence, (jlong)event->bytes, error,
                                              (jlong)event->wait_ns);
    if ((*env)->ExceptionCheck(env)) goes_on = JNI_FALSE;
  }
  end(env);
  return goes_on != JNI_TRUE;
}

void on_ship_problem(void *userdata, const binlog_ship_problem *problem) {
  struct borrowed_shipping *shipping = userdata;
  JNIEnv *env = begin(shipping->env);
  if (env == NULL) return;
  jbyteArray message = bytes_of(env, problem->message);
  jbyteArray object = message == NULL ? NULL : bytes_of(env, problem->object);
  if (object != NULL || (message != NULL && problem->object == NULL)) {
    (*env)->CallStaticVoidMethod(env, upcalls.class, upcalls.ship_problem, shipping->problems, (jint)problem->kind,
                                 (jboolean)(problem->is_here != 0 ? JNI_TRUE : JNI_FALSE), (jlong)problem->sequence,
                                 (jlong)problem->last_sequence, object, message);
  }
  end(env);
}
