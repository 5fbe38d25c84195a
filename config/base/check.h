/*
 * Asserts that stay on in release builds. They check programmers, never input: bytes from outside (records, Redis
 * replies, carrier answers) get an error class instead. A struct that crosses a module border carries a magic
 * number, checked on entry; ownership moves with WEIR_TAKE, which clears its source.
 */
#ifndef WEIR_BASE_CHECK_H
#define WEIR_BASE_CHECK_H

#include <stddef.h>

_Noreturn void weir_check_failed(const char *file, int line, const char *func, const char *what);

#define WEIR_CHECK(cond)                                                                                                   \
	do {                                                                                                               \
		if (__builtin_expect(!(cond), 0))                                                                          \
			weir_check_failed(__FILE__, __LINE__, __func__, #cond);                                            \
	} while (0)

#define WEIR_CHECK_MAGIC(ptr, expected) WEIR_CHECK((ptr) != NULL && (ptr)->magic == (expected))

/* Moves the pointer out of *src, leaving NULL behind: the mark of an ownership transfer. */
#define WEIR_TAKE(dst, src)                                                                                                \
	do {                                                                                                               \
		(dst) = (src);                                                                                             \
		(src) = NULL;                                                                                              \
	} while (0)

/* Allocation that cannot fail quietly: control plane and warm-up only, never per record. Result is zeroed. */
void *weir_calloc(size_t count, size_t size);
void *weir_realloc(void *ptr, size_t size);
char *weir_strdup(const char *text);
char *weir_strndup(const char *text, size_t len);

#endif
