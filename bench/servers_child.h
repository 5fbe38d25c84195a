/*
 * Child processes of the benchmarks, and what they cost: started with the kernel's parent-death signal, so that nothing
 * outlives a benchmark that was killed; CPU time by thread name and memory from /proc. Main thread only.
 */
#ifndef WEIR_BENCH_SERVERS_CHILD_H
#define WEIR_BENCH_SERVERS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/base/error.h"

#define BENCH_PATH_MAX 512
#define BENCH_THREADS_MAX 24

struct bench_child {
	pid_t pid; /* 0 = none */
	char what[24];
	char log[BENCH_PATH_MAX]; /* its stdout and stderr, appended */
	bool stopping;            /* was told to end: its end is waited for, whatever we are told */
};

/* argv[0] is searched in PATH unless it has a slash; argv ends with NULL. */
enum weir_class bench_child_start(
    struct bench_child *child, const char *what, const char *log, char *const argv[], struct weir_error *err);
/* From now on SIGTERM and SIGINT make waits fail, so that what was started and made is cleaned up as after any failure. */
void bench_catch_signals(void);
/* FATAL with its last words when it has ended, or when we are told to stop. */
enum weir_class bench_child_alive(struct bench_child *child, struct weir_error *err);
/* Waits for its end; its exit code, or 128 + the signal's number; -1 after timeout_ms, or when we are told to stop. */
int bench_child_wait(struct bench_child *child, uint32_t timeout_ms);
/* Signals and waits; kills it after grace_ms. Returns as bench_child_wait. A child that is none is left alone. */
int bench_child_stop(struct bench_child *child, int signal, uint32_t grace_ms);
/* The last line of a file that is not empty; "" when there is none. */
void bench_last_line(const char *path, char *out, size_t cap);

/* CPU time since a process began, in nanoseconds, by the name of the thread without trailing digits. */
struct bench_cpu {
	struct {
		char name[20];
		uint64_t ns;
	} threads[BENCH_THREADS_MAX];
	uint32_t count;
	uint64_t ended_ns; /* of threads that are gone; to 10 ms */
};

/* Adds a process to `cpu` (zeroed by the caller before the first). A process that is gone adds nothing. */
void bench_cpu_add(struct bench_cpu *cpu, pid_t pid);
/* later - earlier, by name. */
struct bench_cpu bench_cpu_between(const struct bench_cpu *earlier, const struct bench_cpu *later);
uint64_t bench_cpu_total(const struct bench_cpu *cpu);
/* Sum over threads whose names begin so. */
uint64_t bench_cpu_named(const struct bench_cpu *cpu, const char *prefix);

uint64_t bench_rss_bytes(pid_t pid);
/* Process of this user that listens on a local TCP port; 0 = none, or not to be seen. */
pid_t bench_pid_of_port(uint16_t port);
/* A free TCP port on loopback, as of now. */
uint16_t bench_free_port(void);
void bench_sleep_us(int64_t us);

#endif
