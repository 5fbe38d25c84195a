/* `weir version`: what this binary is made of and what it found at run time; the first thing a bug report needs. */
#include <curl/curl.h>
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "config/base/exit.h"
#include "config/base/options.h"
#include "consumers/decode/decode.h"
#include "pipeline/cli/cli.h"
#include "pipeline/redis/connection.h"

static const struct weir_usage usage = {.command = "version", .arguments = "", .text = "Prints versions.\n"};

#ifdef WEIR_SIMDJSON_VERSION
#define SIMDJSON WEIR_SIMDJSON_VERSION
#else
#define SIMDJSON "linked"
#endif

/* jemalloc is found by its own symbol: it is preloaded or linked into the program, never named in code. */
static const char *
allocator_name(void)
{
	return dlsym(RTLD_DEFAULT, "mallctl") != NULL ? "yes" : "no";
}

int
weir_cli_version(int argc, char **argv)
{
	const struct weir_option options[] = {{0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	(void)printf("weir        %s\n", WEIR_VERSION);
	(void)printf("librdkafka  %s\n", rd_kafka_version_str());
	(void)printf("hiredis     %s\n", weir_redis_library());
	(void)printf("libcurl     %s\n", curl_version_info(CURLVERSION_NOW)->version);
	(void)printf("simdjson    %s\n", SIMDJSON);
	(void)printf("jemalloc    %s\n", allocator_name());
	return WEIR_EXIT_OK;
}
