/* Appends through two appenders, each in a thread of its own, for a judge who watches: tests/c/alone.py.
 *
 *   alone lines   stores to `mark` before and after the appends of each thread; under valgrind's lackey
 *   alone steps   traps before and after the appends of one thread; under ptrace, which is in here too: prints what the
 *                 instructions between the traps are
 */
#define _GNU_SOURCE
#include <binlog.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { APPENDS = 100, LEN = 100 }; /* fewer than are handed over at once */

static binlog_writer *writer;
static binlog_appender *appenders[2];
/* The addresses that say which thread's turn begins or ends; a cache line each, as nobody else uses them. */
static volatile struct {
  char at[64];
} mark[4] __attribute__((aligned(64)));

static void check(binlog_status status, const char *what) {
  if (status == BINLOG_OK) return;
  fprintf(stderr, "%s: status %d\n", what, (int)status);
  exit(2);
}

static void append(binlog_appender *appender, int count) {
  static const char payload[LEN] = "a record";
  for (int i = 0; i < count; i++) check(binlog_appender_append(appender, 1, payload, LEN, NULL), "append");
}

/* The buffers have grown afterwards, and one is begun. */
static void warm_up(binlog_appender *appender) {
  for (int i = 0; i < 3; i++) {
    append(appender, 4 * APPENDS);
    check(binlog_appender_flush(appender, NULL, NULL), "flush");
  }
  append(appender, 2);
}

static void open_log(void) {
  binlog_writer_options options = {.struct_size = sizeof options, .flush_interval_ms = 3600000}; /* a step takes its time */
  check(binlog_writer_open("alone.log", &options, &writer, NULL), "open");
  for (int i = 0; i < 2; i++) check(binlog_appender_open(writer, NULL, &appenders[i], NULL), "open an appender");
}

static pthread_barrier_t end;
static sem_t done;

static void *one_turn(void *argument) {
  const int which = *(const int *)argument;
  warm_up(appenders[which]);
  mark[2 * which].at[0] = 1;
  append(appenders[which], APPENDS);
  mark[2 * which + 1].at[0] = 1;
  sem_post(&done);
  pthread_barrier_wait(&end); /* both stacks live until here, so that neither is the other's */
  return NULL;
}

static int lines(void) {
  static int which[2] = {0, 1};
  pthread_t threads[2];
  open_log();
  printf("%p %p %p %p\n", (void *)&mark[0], (void *)&mark[1], (void *)&mark[2], (void *)&mark[3]);
  fflush(stdout);
  pthread_barrier_init(&end, NULL, 2);
  sem_init(&done, 0, 0);
  for (int i = 0; i < 2; i++) {
    pthread_create(&threads[i], NULL, one_turn, &which[i]);
    sem_wait(&done);
    usleep(200000); /* it sleeps at the barrier when the other has its turn: the trace does not say whose an access is */
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 2; i++) check(binlog_appender_close(appenders[i], NULL, NULL), "close an appender");
  check(binlog_writer_close(writer, NULL), "close");
  return 0;
}

#ifdef __x86_64__
static void child(void) {
  open_log();
  warm_up(appenders[0]);
  ptrace(PTRACE_TRACEME, 0, NULL, NULL);
  __asm__ volatile("int3");
  append(appenders[0], APPENDS);
  __asm__ volatile("int3");
  _exit(0);
}

/* Whether the instruction locks the bus or waits for all stores: a LOCK prefix, XCHG with memory, MFENCE. */
static int is_locked(const uint8_t *code) {
  int locked = 0;
  for (;; code++) {
    if (*code == 0xF0) locked = 1;
    else if (!strchr("\x66\x2E\x36\x3E\x26\x64\x65\xF2\xF3", *code) || *code == 0) break;
  }
  if ((*code & 0xF0) == 0x40) code++; /* REX */
  if ((code[0] == 0x86 || code[0] == 0x87) && code[1] < 0xC0) locked = 1;
  if (code[0] == 0x0F && code[1] == 0xAE && code[2] == 0xF0) locked = 1;
  return locked;
}

static int steps(void) {
  long instructions = 0, locked = 0, calls = 0;
  int status;
  const pid_t pid = fork();
  if (pid == 0) child();
  waitpid(pid, &status, 0); /* the first trap */
  for (;;) {
    struct user_regs_struct registers;
    union {
      long words[2];
      uint8_t code[16];
    } at;
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0) break;
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
    ptrace(PTRACE_GETREGS, pid, NULL, &registers);
    for (int i = 0; i < 2; i++) at.words[i] = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)(registers.rip + 8 * i), NULL);
    if (at.code[0] == 0xCC) break;
    instructions++;
    if (is_locked(at.code)) fprintf(stderr, "locked at %#llx\n", registers.rip);
    locked += is_locked(at.code);
    calls += at.code[0] == 0x0F && at.code[1] == 0x05;
  }
  ptrace(PTRACE_KILL, pid, NULL, NULL);
  waitpid(pid, &status, 0);
  printf("%d appends: %ld instructions, %ld locked, %ld calls of the system\n", APPENDS, instructions, locked, calls);
  return instructions > APPENDS && locked == 0 && calls == 0 ? 0 : 1;
}
#else
static int steps(void) {
  puts("no steps: not an x86-64");
  return 0;
}
#endif

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "lines") == 0) return lines();
  if (argc == 2 && strcmp(argv[1], "steps") == 0) return steps();
  return 2;
}
