/*
 * C11 threads on top of pthreads, for builds under the thread sanitizer only.
 *
 * The sanitizer intercepts pthreads, but not the C11 functions of glibc that librdkafka is built on: a thread started by
 * thrd_create is unknown to it and crashes at its first allocation, and its locks are invisible. These definitions come
 * before glibc's in every program of such a build. The types are glibc's: its mtx_t and cnd_t hold the pthread objects.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t) && sizeof(cnd_t) >= sizeof(pthread_cond_t), "glibc's types");

struct start {
	thrd_start_t function;
	void *argument;
};

static int
thread_result(int error)
{
	switch (error) {
	case 0:
		return thrd_success;
	case ENOMEM:
	case EAGAIN:
		return thrd_nomem;
	case ETIMEDOUT:
		return thrd_timedout;
	case EBUSY:
		return thrd_busy;
	default:
		return thrd_error;
	}
}

static void *
start_main(void *ctx)
{
	struct start start = *(struct start *)ctx;
	free(ctx);
	return (void *)(intptr_t)start.function(start.argument);
}

int
thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
	struct start *start = malloc(sizeof(*start));
	if (start == NULL)
		return thrd_nomem;
	*start = (struct start){function, argument};
	int error = pthread_create(thread, NULL, start_main, start);
	if (error != 0)
		free(start);
	return thread_result(error);
}

int
thrd_join(thrd_t thread, int *result)
{
	void *returned = NULL;
	int error = pthread_join(thread, &returned);
	if (error == 0 && result != NULL)
		*result = (int)(intptr_t)returned;
	return thread_result(error);
}

static pthread_mutex_t *
mutex_of(mtx_t *mutex)
{
	return (pthread_mutex_t *)mutex;
}

static pthread_cond_t *
condition_of(cnd_t *condition)
{
	return (pthread_cond_t *)condition;
}

/*
 * Objects are made and unmade unseen: who made them and who uses them is ordered by locks of librdkafka's that are not
 * looked at. In glibc there is nothing to release.
 */
int
mtx_init(mtx_t *mutex, int type)
{
	const pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	*mutex_of(mutex) = (type & mtx_recursive) != 0 ? recursive : plain;
	return thrd_success;
}

void
mtx_destroy(mtx_t *mutex)
{
	(void)mutex;
}

int
mtx_lock(mtx_t *mutex)
{
	return thread_result(pthread_mutex_lock(mutex_of(mutex)));
}

int
mtx_unlock(mtx_t *mutex)
{
	return thread_result(pthread_mutex_unlock(mutex_of(mutex)));
}

int
cnd_init(cnd_t *condition)
{
	const pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;
	*condition_of(condition) = fresh;
	return thrd_success;
}

void
cnd_destroy(cnd_t *condition)
{
	(void)condition;
}

int
cnd_signal(cnd_t *condition)
{
	return thread_result(pthread_cond_signal(condition_of(condition)));
}

int
cnd_broadcast(cnd_t *condition)
{
	return thread_result(pthread_cond_broadcast(condition_of(condition)));
}

int
cnd_wait(cnd_t *condition, mtx_t *mutex)
{
	return thread_result(pthread_cond_wait(condition_of(condition), mutex_of(mutex)));
}

int
cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
	return thread_result(pthread_cond_timedwait(condition_of(condition), mutex_of(mutex), until));
}

/* Asked for by the sanitizer when it starts. */
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return "called_from_lib:librdkafka.so.1\n";
}
