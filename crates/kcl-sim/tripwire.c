// Preloaded into the simulator: ends the process if a simulation reads a real clock, sleeps, or draws real randomness.
// Simulations run on threads whose names begin with "seed "; all others may do what they like.
//
// One exception, once for each thread: the sixteen bytes with which Rust's standard library keys its hashers. tokio draws
// the seed of the generator behind `watch` from them. That nothing depends on them is shown by running seeds twice.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { TRIPPED = 86, FRAMES = 64, KEY_BYTES = 16 };

static __thread int keyed;

static int simulates(void) {
  char name[32] = "";
  return pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strncmp(name, "seed ", 5) == 0;
}

static void trip(const char *what) {
  if (!simulates()) return;
  static const char said[] = "tripwire: a simulation called ";
  void *frames[FRAMES];
  if (write(STDERR_FILENO, said, sizeof said - 1) < 0 || write(STDERR_FILENO, what, strlen(what)) < 0 ||
      write(STDERR_FILENO, "\n", 1) < 0)
    _exit(TRIPPED);
  backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
  _exit(TRIPPED);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  trip("clock_gettime");
  return real(clock, time);
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  trip("gettimeofday");
  return real(time, zone);
}

int nanosleep(const struct timespec *wanted, struct timespec *left) {
  static int (*real)(const struct timespec *, struct timespec *);
  if (!real) real = (int (*)(const struct timespec *, struct timespec *))dlsym(RTLD_NEXT, "nanosleep");
  trip("nanosleep");
  return real(wanted, left);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
  static int (*real)(clockid_t, int, const struct timespec *, struct timespec *);
  if (!real) real = (int (*)(clockid_t, int, const struct timespec *, struct timespec *))dlsym(RTLD_NEXT, "clock_nanosleep");
  trip("clock_nanosleep");
  return real(clock, flags, wanted, left);
}

ssize_t getrandom(void *bytes, size_t count, unsigned flags) {
  static ssize_t (*real)(void *, size_t, unsigned);
  if (!real) real = (ssize_t (*)(void *, size_t, unsigned))dlsym(RTLD_NEXT, "getrandom");
  // The control asks for no exception.
  if (count != KEY_BYTES || keyed++ || getenv("TRIPWIRE_STRICT")) trip("getrandom");
  return real(bytes, count, flags);
}
