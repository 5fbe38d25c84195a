/*
 * Requests a second, of each caller: a bucket that fills by rate_per_s a second and holds a second's worth.
 *
 * A fixed table, so that a flood of addresses costs no memory: a caller has one of eight neighbouring places, and the one
 * that was used longest ago gives way. Who is pushed out begins anew with a full bucket, which errs in the caller's favour.
 * One lock: it is held for some 50 ns a request.
 */
#include <stdlib.h>

#include "pipeline/http/api/api_priv.h"

#define PLACES 4096u
#define NEIGHBOURS 8u

struct bucket {
	uint64_t key;          /* 0 = free */
	struct weir_steady at; /* when `left` held */
	int64_t left;          /* millionths of a request */
};

struct weir_api_limits {
	pthread_mutex_t lock;
	uint32_t rate_per_s;
	struct bucket buckets[PLACES];
};

struct weir_api_limits *
weir_api_limits_new(uint32_t rate_per_s)
{
	struct weir_api_limits *limits = weir_calloc(1, sizeof(*limits));
	(void)pthread_mutex_init(&limits->lock, NULL);
	limits->rate_per_s = rate_per_s;
	return limits;
}

void
weir_api_limits_free(struct weir_api_limits *limits)
{
	if (limits == NULL)
		return;
	(void)pthread_mutex_destroy(&limits->lock);
	free(limits);
}

static struct bucket *
bucket_of(struct weir_api_limits *limits, uint64_t key, struct weir_steady now)
{
	uint64_t home = key * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	struct bucket *oldest = NULL;
	for (uint32_t i = 0; i < NEIGHBOURS; i++) {
		struct bucket *bucket = &limits->buckets[(home + i) % PLACES];
		if (bucket->key == key)
			return bucket;
		if (oldest == NULL || bucket->key == 0 || (oldest->key != 0 && bucket->at.us < oldest->at.us))
			oldest = bucket;
	}
	*oldest = (struct bucket){.key = key, .at = now, .left = (int64_t)limits->rate_per_s * 1000000};
	return oldest;
}

bool
weir_api_limits_admit(struct weir_api_limits *limits, uint64_t key, struct weir_steady now)
{
	if (key == 0)
		key = 1;
	(void)pthread_mutex_lock(&limits->lock);
	struct bucket *bucket = bucket_of(limits, key, now);
	int64_t most = (int64_t)limits->rate_per_s * 1000000, passed_us = now.us - bucket->at.us;
	if (passed_us >= 1000000)
		bucket->left = most;
	else if (passed_us > 0)
		bucket->left += passed_us * limits->rate_per_s;
	if (bucket->left > most)
		bucket->left = most;
	if (passed_us > 0) /* another thread may have read the clock later and come first */
		bucket->at = now;
	bool admitted = bucket->left >= 1000000;
	if (admitted)
		bucket->left -= 1000000;
	(void)pthread_mutex_unlock(&limits->lock);
	return admitted;
}
