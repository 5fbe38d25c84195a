/* Names of files in a run's folder; see servers.h. */
#include <stdio.h>

#include "bench/servers.h"

void
bench_site_path(const struct bench_site *site, const char *name, char out[BENCH_PATH_MAX])
{
	(void)snprintf(out, BENCH_PATH_MAX, "%s/%.200s", site->folder, name);
}
