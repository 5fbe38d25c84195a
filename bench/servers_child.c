/* Children, their CPU time and memory; see servers_child.h. */
#include "bench/servers_child.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "config/base/clock.h"

enum { POLL_US = 5000 };

static volatile sig_atomic_t asked_to_stop;

static void
on_signal(int number)
{
	asked_to_stop = number;
}

void
bench_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}; /* a second one ends at once */
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
}

void
bench_sleep_us(int64_t us)
{
	struct timespec pause = {us / 1000000, us % 1000000 * 1000};
	(void)nanosleep(&pause, NULL);
}

/* ---- life ---- */

/* In the child: a group of its own, so that Ctrl-C reaches it through us. */
_Noreturn static void
child_exec(const char *log, char *const argv[], pid_t parent)
{
	sigset_t none;
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || getppid() != parent)
		_exit(126);
	(void)execvp(argv[0], argv);
	(void)fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

enum weir_class
bench_child_start(struct bench_child *child, const char *what, const char *log, char *const argv[], struct weir_error *err)
{
	pid_t parent = getpid();
	*child = (struct bench_child){0};
	(void)snprintf(child->what, sizeof(child->what), "%s", what);
	(void)snprintf(child->log, sizeof(child->log), "%s", log);
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		child_exec(log, argv, parent);
	if (pid < 0)
		return weir_error_set(err, WEIR_FATAL, "cannot start %s: %s", what, strerror(errno));
	child->pid = pid;
	return WEIR_OK;
}

static int
exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

enum weir_class
bench_child_alive(struct bench_child *child, struct weir_error *err)
{
	int status;
	char last[300];
	if (asked_to_stop != 0)
		return weir_error_set(err, WEIR_FATAL, "stopped by signal %d", (int)asked_to_stop);
	if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) != child->pid)
		return WEIR_OK;
	int code = child->pid != 0 ? exit_code(status) : -1;
	child->pid = 0;
	bench_last_line(child->log, last, sizeof(last));
	return weir_error_set(err, WEIR_FATAL, "%s ended with %d: %s", child->what, code, last);
}

int
bench_child_wait(struct bench_child *child, uint32_t timeout_ms)
{
	int status;
	struct weir_steady until = weir_steady_in_ms(timeout_ms);
	while (child->pid != 0) {
		pid_t got = waitpid(child->pid, &status, WNOHANG);
		if (got == child->pid || (got < 0 && errno == ECHILD)) {
			child->pid = 0;
			return got < 0 ? -1 : exit_code(status);
		}
		if (weir_steady_reached(until))
			return -1;
		if (asked_to_stop != 0 && !child->stopping)
			return -1;
		bench_sleep_us(POLL_US);
	}
	return -1;
}

int
bench_child_stop(struct bench_child *child, int signal, uint32_t grace_ms)
{
	if (child->pid == 0)
		return 0;
	child->stopping = true;
	(void)kill(child->pid, signal);
	int code = bench_child_wait(child, grace_ms);
	if (child->pid == 0)
		return code;
	(void)kill(child->pid, SIGKILL);
	return bench_child_wait(child, 10000);
}

void
bench_last_line(const char *path, char *out, size_t cap)
{
	char line[4096];
	FILE *file = fopen(path, "r");
	out[0] = '\0';
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			(void)snprintf(out, cap, "%s", line);
	}
	(void)fclose(file);
}

/* ---- CPU ---- */

static bool
read_small(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, cap - 1) : -1;
	if (fd >= 0)
		(void)close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* User and system time from a stat file, and the name within its brackets; to the kernel's tick. */
static bool
read_stat(const char *path, char name[20], uint64_t *ns_out)
{
	char text[1024];
	unsigned long long user, system;
	char *from, *to;
	if (!read_small(path, text, sizeof(text)) || (from = strchr(text, '(')) == NULL ||
	    (to = strrchr(text, ')')) == NULL)
		return false;
	(void)snprintf(name, 20, "%.*s", (int)(to - from - 1), from + 1);
	if (sscanf(to + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
		return false;
	*ns_out = (user + system) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
	return true;
}

static void
put_thread(struct bench_cpu *cpu, const char *name, uint64_t ns)
{
	char plain[20];
	uint32_t i = 0;
	(void)snprintf(plain, sizeof(plain), "%s", name);
	for (size_t len = strlen(plain); len > 1 && (isdigit((unsigned char)plain[len - 1]) || plain[len - 1] == '-');
	     len--)
		plain[len - 1] = '\0';
	while (i < cpu->count && strcmp(cpu->threads[i].name, plain) != 0)
		i++;
	if (i == BENCH_THREADS_MAX) { /* a JVM has more names than anyone wants to see */
		cpu->ended_ns += ns;
		return;
	}
	if (i == cpu->count)
		(void)snprintf(cpu->threads[cpu->count++].name, sizeof(plain), "%s", plain);
	cpu->threads[i].ns += ns;
}

/* One thread; the scheduler's own figure where the kernel keeps it. Returns its nanoseconds. */
static uint64_t
add_thread(struct bench_cpu *cpu, const char *folder, const char *tid)
{
	char path[320], text[64], name[20];
	uint64_t ns = 0;
	unsigned long long fine;
	(void)snprintf(path, sizeof(path), "%s/%.16s/stat", folder, tid);
	if (!read_stat(path, name, &ns))
		return 0;
	(void)snprintf(path, sizeof(path), "%s/%.16s/schedstat", folder, tid);
	if (read_small(path, text, sizeof(text)) && sscanf(text, "%llu", &fine) == 1)
		ns = fine;
	put_thread(cpu, name, ns);
	return ns;
}

void
bench_cpu_add(struct bench_cpu *cpu, pid_t pid)
{
	char folder[64], name[20];
	uint64_t seen = 0, all = 0;
	(void)snprintf(folder, sizeof(folder), "/proc/%d/task", (int)pid);
	DIR *dir = pid != 0 ? opendir(folder) : NULL;
	if (dir == NULL)
		return;
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		if (entry->d_name[0] != '.')
			seen += add_thread(cpu, folder, entry->d_name);
	(void)closedir(dir);
	(void)snprintf(folder, sizeof(folder), "/proc/%d/stat", (int)pid);
	if (read_stat(folder, name, &all) && all > seen)
		cpu->ended_ns += all - seen;
}

static uint64_t
named_exactly(const struct bench_cpu *cpu, const char *name)
{
	for (uint32_t i = 0; i < cpu->count; i++)
		if (strcmp(cpu->threads[i].name, name) == 0)
			return cpu->threads[i].ns;
	return 0;
}

struct bench_cpu
bench_cpu_between(const struct bench_cpu *earlier, const struct bench_cpu *later)
{
	struct bench_cpu between = *later;
	for (uint32_t i = 0; i < between.count; i++) {
		uint64_t before = named_exactly(earlier, between.threads[i].name);
		between.threads[i].ns -= before < between.threads[i].ns ? before : between.threads[i].ns;
	}
	uint64_t before = earlier->ended_ns < between.ended_ns ? earlier->ended_ns : between.ended_ns;
	between.ended_ns -= before;
	return between;
}

uint64_t
bench_cpu_total(const struct bench_cpu *cpu)
{
	return bench_cpu_named(cpu, "") + cpu->ended_ns;
}

uint64_t
bench_cpu_named(const struct bench_cpu *cpu, const char *prefix)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < cpu->count; i++)
		if (strncmp(cpu->threads[i].name, prefix, strlen(prefix)) == 0)
			sum += cpu->threads[i].ns;
	return sum;
}

uint64_t
bench_rss_bytes(pid_t pid)
{
	char path[64], text[128];
	unsigned long long pages;
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (!read_small(path, text, sizeof(text)) || sscanf(text, "%*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- ports ---- */

/* Inode of the socket that listens on `port`, from one of the kernel's tables; 0 = none. */
static unsigned long
listener_in(const char *table, uint16_t port)
{
	char line[512];
	unsigned at, state;
	unsigned long inode, found = 0;
	FILE *file = fopen(table, "r");
	while (file != NULL && found == 0 && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*d %*d %lu", &at, &state, &inode) ==
			3 &&
		    at == port && state == 0x0a)
			found = inode;
	if (file != NULL)
		(void)fclose(file);
	return found;
}

static bool
has_socket(const char *pid, unsigned long inode)
{
	char folder[64], path[384], link[64], wanted[64];
	bool found = false;
	(void)snprintf(folder, sizeof(folder), "/proc/%.16s/fd", pid);
	(void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	DIR *dir = opendir(folder);
	if (dir == NULL)
		return false;
	for (const struct dirent *entry = readdir(dir); entry != NULL && !found; entry = readdir(dir)) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		ssize_t n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		found = strcmp(link, wanted) == 0;
	}
	(void)closedir(dir);
	return found;
}

pid_t
bench_pid_of_port(uint16_t port)
{
	unsigned long inode = listener_in("/proc/net/tcp", port);
	if (inode == 0)
		inode = listener_in("/proc/net/tcp6", port);
	DIR *dir = inode != 0 ? opendir("/proc") : NULL;
	pid_t pid = 0;
	if (dir == NULL)
		return 0;
	for (const struct dirent *entry = readdir(dir); entry != NULL && pid == 0; entry = readdir(dir))
		if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, inode))
			pid = (pid_t)strtol(entry->d_name, NULL, 10);
	(void)closedir(dir);
	return pid;
}

uint16_t
bench_free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good =
	    fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == 0;
	if (fd >= 0)
		(void)close(fd);
	return good ? ntohs(at.sin_port) : 0;
}
