/* Pools: one with all that POOL-6 names, its usage, members and audit, and lists of many. */
#include "pipeline/http/api/api_priv.h"

void
weir_api_pool_one(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *id;
	const struct weir_pool_view *pool;
	struct weir_error err = {0};
	if (!weir_api_path_pool(request, &id))
		return;
	enum weir_read code = weir_read_pool(worker->reader, id, &pool, &err);
	if (code != WEIR_READ_OK) {
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	struct weir_json json = weir_api_json(request, 200);
	weir_print_pool(&json, NULL, pool);
}

void
weir_api_pool_usage(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *id;
	enum weir_span span;
	int64_t from_us, to_us;
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	if (!weir_api_path_pool(request, &id) || !weir_api_get_range(request, &span, &from_us, &to_us))
		return;
	enum weir_read code = weir_read_pool_usage(worker->reader, id, span, from_us, to_us, &rows, &err);
	if (code != WEIR_READ_OK)
		(void)weir_api_read_failed(request, worker, code, &err);
	else
		weir_api_usage_answer(request, "pool", id, &rows);
}

void
weir_api_pool_members(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *id, *cursor = weir_api_param(request, "cursor");
	struct weir_card_page page;
	struct weir_error err = {0};
	uint32_t limit;
	if (!weir_api_path_pool(request, &id) || !weir_api_get_limit(request, WEIR_PAGE_MAX, &limit))
		return;
	enum weir_read code = weir_read_members(worker->reader, id, cursor != NULL ? cursor : "", limit, &page, &err);
	if (code != WEIR_READ_OK)
		(void)weir_api_read_failed(request, worker, code, &err);
	else
		weir_api_card_page_answer(request, &page);
}

void
weir_api_pool_audit(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *id;
	struct weir_history history;
	struct weir_error err = {0};
	if (!weir_api_path_pool(request, &id))
		return;
	enum weir_read code = weir_read_pool_history(worker->reader, id, &history, &err);
	if (code != WEIR_READ_OK)
		(void)weir_api_read_failed(request, worker, code, &err);
	else
		weir_api_audit_answer(request, "pool", id, &history);
}

static const char *
reason_word(unsigned index)
{
	return weir_reason_name(index);
}

static const char *
status_word(unsigned index)
{
	static const char *const words[] = {"in_use", "suspended", "disabled"};
	return words[index];
}

static const char *
kind_word(unsigned index)
{
	return weir_plan_kind_name((enum weir_plan_kind)index);
}

static bool
pool_query(struct weir_api_request *request, struct weir_pool_query *query_out)
{
	uint32_t reasons;
	*query_out = (struct weir_pool_query){0};
	if (!weir_api_get_words(request, "reason", reason_word, WEIR_REASON_COUNT, &reasons) ||
	    !weir_api_get_words(request, "status", status_word, WEIR_POOL_DISABLED + 1, &query_out->statuses) ||
	    !weir_api_get_words(request, "kind", kind_word, WEIR_PLAN_METERED + 1, &query_out->kinds) ||
	    !weir_api_get_id(request, "carrier", &query_out->carrier) ||
	    !weir_api_get_id(request, "plan", &query_out->plan))
		return false;
	query_out->reasons = (uint16_t)reasons;
	query_out->name = weir_api_param(request, "q");
	return true;
}

void
weir_api_pools(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *cursor = weir_api_param(request, "cursor");
	struct weir_pool_query query;
	struct weir_pool_page page;
	struct weir_error err = {0};
	uint32_t limit;
	if (!pool_query(request, &query) || !weir_api_get_limit(request, WEIR_PAGE_MAX, &limit))
		return;
	enum weir_read code = weir_read_pools(worker->reader, &query, cursor != NULL ? cursor : "", limit, &page, &err);
	if (code != WEIR_READ_OK) {
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_open(&json, "pools", '[');
	for (uint32_t i = 0; i < page.count; i++)
		weir_print_pool(&json, NULL, &page.pools[i]);
	weir_json_close(&json, ']');
	weir_json_u64(&json, "looked_at", page.examined);
	weir_json_text_or_null(&json, "next", page.next);
	weir_json_close(&json, '}');
}
