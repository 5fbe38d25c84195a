/*
 * Growing arrays: a pointer, a count and a capacity that lie where their owner wants them.
 *
 * A capacity doubles from `first` on and never shrinks, so that a warm array allocates nothing. Elements may move with
 * each call: keep indexes, not pointers. An array starts as NULL, 0, 0 and is freed with free(). Rejected: a struct of its
 * own for each element type, which would put three letters between every owner and its array and name nothing.
 */
#ifndef WEIR_BASE_VEC_H
#define WEIR_BASE_VEC_H

#include <stdint.h>
#include <string.h>

#include "config/base/check.h"

/* The smallest of first, first * 2, first * 4, ... (from cap on) that is `need` or more. first >= 1. */
static inline size_t
weir_vec_cap(size_t cap, size_t need, size_t first)
{
	if (cap == 0)
		cap = first;
	while (cap < need) {
		WEIR_CHECK(cap <= SIZE_MAX / 2);
		cap *= 2;
	}
	return cap;
}

/* Room for one more element behind the `n` of v. n and cap are of any integer type; one that cap cannot count stops weir.
 */
#define WEIR_VEC_ROOM(v, n, cap, first)                                                                                    \
	do {                                                                                                               \
		if ((n) == (cap)) {                                                                                        \
			size_t vec_cap_ = weir_vec_cap((size_t)(cap), (size_t)(n) + 1, (first));                           \
			(cap) = (__typeof__(cap))vec_cap_;                                                                 \
			WEIR_CHECK((size_t)(cap) == vec_cap_ && vec_cap_ <= SIZE_MAX / sizeof(*(v)));                      \
			(v) = weir_realloc((v), vec_cap_ * sizeof(*(v)));                                                  \
		}                                                                                                          \
	} while (0)

/* v[index] is there; elements that come into being are zeroed. */
#define WEIR_VEC_REACH(v, cap, index, first)                                                                               \
	do {                                                                                                               \
		if ((index) >= (cap)) {                                                                                    \
			size_t vec_old_ = (size_t)(cap), vec_cap_ = weir_vec_cap(vec_old_, (size_t)(index) + 1, (first));  \
			(cap) = (__typeof__(cap))vec_cap_;                                                                 \
			WEIR_CHECK((size_t)(cap) == vec_cap_ && vec_cap_ <= SIZE_MAX / sizeof(*(v)));                      \
			(v) = weir_realloc((v), vec_cap_ * sizeof(*(v)));                                                  \
			memset((v) + vec_old_, 0, (vec_cap_ - vec_old_) * sizeof(*(v)));                                   \
		}                                                                                                          \
	} while (0)

#endif
