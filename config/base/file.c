/* Reading of whole files; see file.h. */
#include "config/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum weir_class
fd_read_all(int fd, const char *path, size_t size_max, struct weir_buf *buf, struct weir_error *err)
{
	size_t begin = buf->len;
	for (;;) {
		weir_buf_reserve(buf, 65536 + 1);
		ssize_t got = read(fd, buf->data + buf->len, 65536);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return weir_error_set(err, WEIR_POISON, "%s: cannot be read: %s", path, strerror(errno));
		buf->len += (size_t)got;
		buf->data[buf->len] = 0;
		if (buf->len - begin > size_max)
			return weir_error_set(err, WEIR_POISON, "%s: larger than %zu bytes", path, size_max);
		if (got == 0)
			return WEIR_OK;
	}
}

enum weir_class
weir_file_read(const char *path, size_t size_max, struct weir_buf *buf, struct weir_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return weir_error_set(err, WEIR_POISON, "%s: cannot be opened: %s", path, strerror(errno));
	struct stat st;
	enum weir_class class = WEIR_OK;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		class = weir_error_set(err, WEIR_POISON, "%s: not a regular file", path);
	else
		class = fd_read_all(fd, path, size_max, buf, err);
	(void)close(fd);
	return class;
}
