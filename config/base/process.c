/* What the system says of a process; see process.h. */
#include "config/base/process.h"

#include <stdio.h>
#include <unistd.h>

uint64_t
weir_process_resident_bytes(pid_t pid)
{
	char path[32] = "/proc/self/statm";
	unsigned long pages = 0;
	if (pid != 0)
		(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	(void)fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
