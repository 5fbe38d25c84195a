/* The machine and the versions; see machine.h. All of it from /proc and the libraries themselves. */
#include "bench/machine.h"
#include "pipeline/redis/connection.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The text behind "name" and a colon in a file of such lines; empty when it is not there. */
static void
proc_value(const char *path, const char *name, char *out, size_t cap)
{
	char line[256];
	out[0] = '\0';
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		const char *text = strchr(line, ':');
		text = text == NULL ? "" : text + 1 + strspn(text + 1, " \t");
		(void)snprintf(out, cap, "%.*s", (int)strcspn(text, "\n"), text);
		break;
	}
	(void)fclose(file);
}

static uint64_t
meminfo(const char *name)
{
	char text[64];
	proc_value("/proc/meminfo", name, text, sizeof(text));
	return strtoull(text, NULL, 10) * 1024;
}

uint64_t
bench_memory_available(void)
{
	return meminfo("MemAvailable");
}

static json_int_t
cache_bytes(int name)
{
	long bytes = sysconf(name);
	return bytes > 0 ? bytes : 0;
}

json_t *
bench_machine(void)
{
	char cpu[128], hugepages[64] = "";
	struct utsname name;
	double load[1] = {0};
	cpu_set_t set;
	CPU_ZERO(&set);
	(void)sched_getaffinity(0, sizeof(set), &set);
	(void)uname(&name);
	(void)getloadavg(load, 1);
	proc_value("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
	if (file != NULL) {
		if (fscanf(file, "%63[^\n]", hugepages) != 1)
			hugepages[0] = '\0';
		(void)fclose(file);
	}
	const char *chosen = strchr(hugepages, '[');
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:s+, s:s#, s:f}", "cpu", cpu, "cores", CPU_COUNT(&set),
	    "l1d_bytes", cache_bytes(_SC_LEVEL1_DCACHE_SIZE), "l2_bytes", cache_bytes(_SC_LEVEL2_CACHE_SIZE), "l3_bytes",
	    cache_bytes(_SC_LEVEL3_CACHE_SIZE), "memory_bytes", (json_int_t)meminfo("MemTotal"), "kernel", "Linux ",
	    name.release, "huge_pages", chosen != NULL ? chosen + 1 : "",
	    chosen != NULL ? (int)strcspn(chosen + 1, "]") : 0, "load_before", load[0]);
}

json_t *
bench_versions(void)
{
#if defined(__AVX2__)
	const char *instructions = "x86-64 with AVX2";
#elif defined(__x86_64__)
	const char *instructions = "x86-64";
#else
	const char *instructions = "plain";
#endif
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "weir", WEIR_VERSION, "compiler",
#ifdef __clang__
	    __VERSION__,
#else
	    "gcc " __VERSION__,
#endif
	    "instructions", instructions, "jemalloc", dlsym(RTLD_DEFAULT, "mallctl") != NULL ? "yes" : "no", "librdkafka",
	    rd_kafka_version_str(), "hiredis", weir_redis_library(), "libcurl",
	    curl_version_info(CURLVERSION_NOW)->version);
}
