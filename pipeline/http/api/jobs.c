/*
 * Threads with a queue: what takes longer than a short question, or waits for Kafka, is done here while its connection is
 * suspended. A queue that is full refuses, and the caller answers 503: waiting longer would help nobody.
 */
#include <stdlib.h>

#include "pipeline/http/api/api_priv.h"

struct weir_api_pool {
	struct weir_api *api;
	pthread_mutex_t lock;
	pthread_cond_t bell;
	struct weir_api_job *first, **last; /* under lock, as all below */
	uint32_t waiting, waiting_max;
	bool closed;
	pthread_t *threads;
	uint32_t thread_count;
};

static struct weir_api_job *
job_take(struct weir_api_pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	while (pool->first == NULL && !pool->closed)
		(void)pthread_cond_wait(&pool->bell, &pool->lock);
	struct weir_api_job *job = pool->first;
	if (job != NULL) {
		pool->first = job->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
		pool->waiting--;
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return job;
}

static void *
pool_thread(void *arg)
{
	struct weir_api_pool *pool = arg;
	struct weir_api_worker *worker = weir_api_worker_new(pool->api);
	for (struct weir_api_job *job; (job = job_take(pool)) != NULL;)
		job->run(job, worker);
	weir_api_worker_free(worker);
	return NULL;
}

struct weir_api_pool *
weir_api_pool_start(struct weir_api *api, uint32_t threads, uint32_t waiting_max)
{
	struct weir_api_pool *pool = weir_calloc(1, sizeof(*pool));
	pool->api = api;
	pool->waiting_max = waiting_max;
	pool->last = &pool->first;
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->bell, NULL);
	pool->threads = weir_calloc(threads, sizeof(*pool->threads));
	for (; pool->thread_count < threads; pool->thread_count++)
		WEIR_CHECK(pthread_create(&pool->threads[pool->thread_count], NULL, pool_thread, pool) == 0);
	return pool;
}

bool
weir_api_pool_submit(struct weir_api_pool *pool, struct weir_api_job *job)
{
	(void)pthread_mutex_lock(&pool->lock);
	bool takes = !pool->closed && pool->waiting < pool->waiting_max;
	if (takes) {
		job->next = NULL;
		*pool->last = job;
		pool->last = &job->next;
		pool->waiting++;
		(void)pthread_cond_signal(&pool->bell);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return takes;
}

uint32_t
weir_api_pool_waiting(struct weir_api_pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	uint32_t waiting = pool->waiting;
	(void)pthread_mutex_unlock(&pool->lock);
	return waiting;
}

void
weir_api_pool_stop(struct weir_api_pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	(void)pthread_cond_broadcast(&pool->bell);
	(void)pthread_mutex_unlock(&pool->lock);
	for (uint32_t i = 0; i < pool->thread_count; i++)
		(void)pthread_join(pool->threads[i], NULL);
	pool->thread_count = 0;
}

void
weir_api_pool_free(struct weir_api_pool *pool)
{
	if (pool == NULL)
		return;
	(void)pthread_cond_destroy(&pool->bell);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}
