/* Memory that lives until the end of one call, and copies of Java's arguments in it. */
#include "glue.h"

#include <stdlib.h>
#include <string.h>

struct chunk {
  struct chunk *next;
  max_align_t bytes[];
};

void *arena_take(JNIEnv *env, struct arena *arena, size_t size) {
  if (arena->failed) return NULL;
  struct chunk *chunk = calloc(1, sizeof *chunk + size);
  if (chunk == NULL) {
    arena->failed = 1;
    raise_no_memory(env);
    return NULL;
  }
  chunk->next = arena->chunks;
  arena->chunks = chunk;
  return chunk->bytes;
}

void arena_free(struct arena *arena) {
  callbacks_forget(arena->callbacks);
  for (struct chunk *chunk = arena->chunks, *next; chunk != NULL; chunk = next) {
    next = chunk->next;
    free(chunk);
  }
}

const char *arena_text(JNIEnv *env, struct arena *arena, jbyteArray bytes) {
  if (bytes == NULL || arena->failed) return NULL;
  const jsize len = (*env)->GetArrayLength(env, bytes);
  char *text = arena_take(env, arena, (size_t)len + 1);
  if (text != NULL) (*env)->GetByteArrayRegion(env, bytes, 0, len, (jbyte *)text);
  return text;
}

const char *const *arena_texts(JNIEnv *env, struct arena *arena, jobjectArray texts, size_t *count) {
  *count = 0;
  if (texts == NULL || arena->failed) return NULL;
  const jsize n = (*env)->GetArrayLength(env, texts);
  if (n == 0) return NULL;
  const char **copies = arena_take(env, arena, (size_t)n * sizeof *copies);
  for (jsize i = 0; copies != NULL && i < n && !arena->failed; i++) {
    jbyteArray bytes = (*env)->GetObjectArrayElement(env, texts, i);
    copies[i] = arena_text(env, arena, bytes);
    (*env)->DeleteLocalRef(env, bytes);
  }
  *count = (size_t)n;
  return copies;
}

/* NULL, with the exception pending, when the class has no such field: a defect of the glue. */
static jfieldID field(JNIEnv *env, struct arena *arena, jobject object, const char *name, const char *signature) {
  if (arena->failed) return NULL;
  jclass class = (*env)->GetObjectClass(env, object);
  jfieldID id = (*env)->GetFieldID(env, class, name, signature);
  (*env)->DeleteLocalRef(env, class);
  if (id == NULL) arena->failed = 1;
  return id;
}

jint int_field(JNIEnv *env, struct arena *arena, jobject object, const char *name) {
  jfieldID id = field(env, arena, object, name, "I");
  return id == NULL ? 0 : (*env)->GetIntField(env, object, id);
}

jlong long_field(JNIEnv *env, struct arena *arena, jobject object, const char *name) {
  jfieldID id = field(env, arena, object, name, "J");
  return id == NULL ? 0 : (*env)->GetLongField(env, object, id);
}

jobject object_field(JNIEnv *env, struct arena *arena, jobject object, const char *name, const char *signature) {
  jfieldID id = field(env, arena, object, name, signature);
  return id == NULL ? NULL : (*env)->GetObjectField(env, object, id);
}

const char *text_field(JNIEnv *env, struct arena *arena, jobject object, const char *name) {
  jbyteArray bytes = object_field(env, arena, object, name, "[B");
  const char *text = arena_text(env, arena, bytes);
  if (bytes != NULL) (*env)->DeleteLocalRef(env, bytes);
  return text;
}

const char *const *texts_field(JNIEnv *env, struct arena *arena, jobject object, const char *name, size_t *count) {
  *count = 0;
  jobjectArray array = object_field(env, arena, object, name, "[[B");
  const char *const *texts = arena_texts(env, arena, array, count);
  if (array != NULL) (*env)->DeleteLocalRef(env, array);
  return texts;
}
