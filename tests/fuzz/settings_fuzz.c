/*
 * Settings from any file: no crash, an error text whenever one is refused, and `weir check` agrees with loading. The file
 * lives in memory (memfd), so that a run leaves nothing behind.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/settings/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *sink;
	if (sink == NULL && (sink = fopen("/dev/null", "w")) == NULL)
		abort();
	char path[64];
	int fd = memfd_create("settings", 0);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct weir_settings *settings = NULL;
	struct weir_error err = {0};
	enum weir_class class = weir_settings_load(path, NULL, 0, &settings, &err);
	uint32_t mistakes = weir_settings_check(path, NULL, 0, sink);
	if ((class == WEIR_OK) != (mistakes == 0) || (class != WEIR_OK && err.text[0] == '\0'))
		abort();
	if (class == WEIR_OK) {
		weir_settings_print(settings, sink);
		weir_settings_free(settings);
	}
	(void)close(fd);
	return 0;
}
