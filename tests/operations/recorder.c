/* Preloaded into a program that uses the library: records, in order, the system calls by which it changes the files of
   one directory or makes them durable, in the words of the doubles in memory.

     RECORDED   the directory, as the program names it
     RECORDER   the file for the lines "<operation> <file>" */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096

static char *names[FILES]; /* by descriptor; "" = the directory itself */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;

#define NEXT(type, name, ...)                                              \
  static type (*next)(__VA_ARGS__);                                        \
  if (next == NULL) next = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* The name of a file in the directory, "" for the directory itself, NULL for all others. */
static const char *name_of(const char *path) {
  const char *directory = getenv("RECORDED");
  if (directory == NULL || path == NULL) return NULL;
  const size_t len = strlen(directory);
  if (strncmp(path, directory, len) != 0) return NULL;
  if (path[len] == 0) return "";
  return path[len] == '/' && strchr(path + len + 1, '/') == NULL ? path + len + 1 : NULL;
}

static const char *name_at(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

static void record(const char *operation, const char *name) {
  if (name == NULL) return;
  char line[600];
  const int n = snprintf(line, sizeof line, "%s %s\n", operation, name);
  pthread_mutex_lock(&lock);
  if (out < 0) out = open(getenv("RECORDER"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (write(out, line, (size_t)n) != n) abort();
  pthread_mutex_unlock(&lock);
}

static int opened(int fd, const char *path, int flags) {
  const char *name = name_of(path);
  if (fd < 0 || fd >= FILES) return fd;
  free(names[fd]);
  names[fd] = name == NULL ? NULL : strdup(name);
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) record("Create", name);
  if ((flags & O_TRUNC) != 0) record("SetLen", name);
  return fd;
}

static mode_t mode_of(int flags, va_list args) { return flags & O_CREAT ? va_arg(args, mode_t) : 0; }

#define OPEN(function)                                                     \
  int function(const char *path, int flags, ...) {                         \
    NEXT(int, #function, const char *, int, ...);                          \
    va_list args;                                                          \
    va_start(args, flags);                                                 \
    const mode_t mode = mode_of(flags, args);                              \
    va_end(args);                                                          \
    return opened(next(path, flags, mode), path, flags);                   \
  }
#define OPENAT(function)                                                   \
  int function(int at, const char *path, int flags, ...) {                 \
    NEXT(int, #function, int, const char *, int, ...);                     \
    va_list args;                                                          \
    va_start(args, flags);                                                 \
    const mode_t mode = mode_of(flags, args);                              \
    va_end(args);                                                          \
    return opened(next(at, path, flags, mode), path, flags);               \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
  NEXT(int, "close", int);
  if (name_at(fd) != NULL) {
    free(names[fd]);
    names[fd] = NULL;
  }
  return next(fd);
}

/* A call that succeeds is recorded once, also a short write: none is expected. */
#define DONE(operation, result, name)                                      \
  do {                                                                     \
    if ((result) >= 0) record(operation, name);                            \
    return result;                                                         \
  } while (0)

#define ON_FILE(type, function, operation, parameters, arguments)          \
  type function parameters {                                               \
    static type(*next) parameters;                                         \
    if (next == NULL) next = (type(*) parameters)dlsym(RTLD_NEXT, #function); \
    const type result = next arguments;                                    \
    DONE(operation, result, name_at(fd));                                  \
  }

#define VECTOR int fd, const struct iovec *parts, int count, off_t offset
ON_FILE(ssize_t, pwritev, "Write", (VECTOR), (fd, parts, count, offset))
ON_FILE(ssize_t, pwritev64, "Write", (VECTOR), (fd, parts, count, offset))
ON_FILE(ssize_t, pwrite, "Write", (int fd, const void *bytes, size_t n, off_t offset), (fd, bytes, n, offset))
ON_FILE(ssize_t, pwrite64, "Write", (int fd, const void *bytes, size_t n, off_t offset), (fd, bytes, n, offset))
ON_FILE(int, ftruncate, "SetLen", (int fd, off_t len), (fd, len))
ON_FILE(int, ftruncate64, "SetLen", (int fd, off_t len), (fd, len))
ON_FILE(int, fdatasync, "Sync", (int fd), (fd))

int fsync(int fd) {
  NEXT(int, "fsync", int);
  const int result = next(fd);
  const char *name = name_at(fd);
  DONE(name != NULL && name[0] == 0 ? "SyncDirectory" : "Sync", result, name);
}

#define ON_PATH(function, operation, recorded, parameters, arguments)      \
  int function parameters {                                                \
    static int(*next) parameters;                                          \
    if (next == NULL) next = (int(*) parameters)dlsym(RTLD_NEXT, #function); \
    const int result = next arguments;                                     \
    DONE(operation, result, name_of(recorded));                            \
  }
ON_PATH(unlink, "Remove", path, (const char *path), (path))
ON_PATH(rename, "Rename", from, (const char *from, const char *to), (from, to))
ON_PATH(link, "Link", from, (const char *from, const char *to), (from, to))
ON_PATH(unlinkat, "Remove", path, (int at, const char *path, int flags), (at, path, flags))
ON_PATH(linkat, "Link", from, (int at, const char *from, int to_at, const char *to, int flags), (at, from, to_at, to, flags))
