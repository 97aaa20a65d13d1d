/* Polls the descriptors of waiting cursors for one thread of Java. An epoll(7) would not do: the system allows only
 * 500 of those descriptors, which are epolls of one inotify instance, in another one. */
#include "glue.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

NATIVE(jint, pollOpen)(JNIEnv *env, jclass class) {
  (void)env, (void)class;
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

NATIVE(void, pollClose)(JNIEnv *env, jclass class, jint bell) {
  (void)env, (void)class;
  close(bell);
}

NATIVE(void, pollRing)(JNIEnv *env, jclass class, jint bell) {
  (void)env, (void)class;
  const uint64_t one = 1;
  /* It fails only when it has been rung 2^64 times. */
  if (write(bell, &one, sizeof one) < 0) return;
}

NATIVE(jboolean, poll)(JNIEnv *env, jclass class, jint bell, jintArray descriptors, jint millis) {
  (void)class;
  struct arena arena = {0};
  const jsize n = (*env)->GetArrayLength(env, descriptors);
  struct pollfd *asked = arena_take(env, &arena, ((size_t)n + 1) * sizeof *asked);
  jint *copies = arena_take(env, &arena, (size_t)n * sizeof *copies);
  jboolean is_rung = JNI_FALSE;
  if (!arena.failed) {
    (*env)->GetIntArrayRegion(env, descriptors, 0, n, copies);
    for (jsize i = 0; i < n; i++) asked[i] = (struct pollfd){.fd = copies[i], .events = POLLIN};
    asked[n] = (struct pollfd){.fd = bell, .events = POLLIN};
    const int ready = poll(asked, (nfds_t)n + 1, millis);
    /* One that was closed meanwhile is no longer used. */
    for (jsize i = 0; i < n; i++) copies[i] = ready > 0 && asked[i].revents != 0;
    (*env)->SetIntArrayRegion(env, descriptors, 0, n, copies);
    uint64_t count;
    if (ready > 0 && asked[n].revents != 0 && read(bell, &count, sizeof count) == (ssize_t)sizeof count)
      is_rung = JNI_TRUE;
  }
  arena_free(&arena);
  return is_rung;
}
