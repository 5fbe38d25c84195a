/*
 * The table of paths. docs/openapi.yaml describes the same; a test holds the two together. A path is matched undecoded, so
 * that an encoded slash stays within its segment.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/http/api/api_priv.h"

#define CARD_FILTER "reason status carrier plan pool tag iccid_from iccid_to"

/* clang-format off */
static const struct weir_api_route ROUTES[] = {
	{"GET", "/healthz", WEIR_API_NOBODY, WEIR_API_HERE, WEIR_API_NO_STORAGE, NULL, weir_api_healthz},
	{"GET", "/readyz", WEIR_API_NOBODY, WEIR_API_SLOW, WEIR_API_NO_STORAGE, NULL, weir_api_readyz},
	{"GET", "/v1/openapi", WEIR_API_NOBODY, WEIR_API_HERE, WEIR_API_NO_STORAGE, NULL, weir_api_openapi},
	{"GET", "/v1/me", WEIR_API_READ, WEIR_API_HERE, WEIR_API_NO_STORAGE, NULL, weir_api_me},
	{"GET", "/v1/fleet", WEIR_API_READ, WEIR_API_SLOW, 0, NULL, weir_api_fleet},
	{"GET", "/v1/cards", WEIR_API_READ, WEIR_API_SLOW, 0, CARD_FILTER " cursor limit", weir_api_cards},
	{"GET", "/v1/cards/{}", WEIR_API_READ, WEIR_API_HERE, 0, NULL, weir_api_card},
	{"GET", "/v1/cards/{}/usage", WEIR_API_READ, WEIR_API_HERE, 0, "window from to", weir_api_card_usage},
	{"GET", "/v1/cards/{}/commands", WEIR_API_READ, WEIR_API_HERE, 0, NULL, weir_api_card_commands},
	{"GET", "/v1/cards/{}/audit", WEIR_API_READ, WEIR_API_HERE, 0, NULL, weir_api_card_audit},
	{"POST", "/v1/cards/{}/requests", WEIR_API_OPERATE, WEIR_API_COMMAND_QUEUE, 0, NULL, weir_api_card_request},
	{"GET", "/v1/cards/{}/requests/{}", WEIR_API_READ, WEIR_API_SLOW, 0, NULL, weir_api_card_request_state},
	{"PUT", "/v1/cards/{}/tags", WEIR_API_OPERATE, WEIR_API_COMMAND_QUEUE, 0, NULL, weir_api_card_tags},
	{"PUT", "/v1/cards/{}/remark", WEIR_API_OPERATE, WEIR_API_COMMAND_QUEUE, 0, NULL, weir_api_card_remark},
	{"GET", "/v1/pools", WEIR_API_READ, WEIR_API_SLOW, 0, "q reason status kind carrier plan cursor limit", weir_api_pools},
	{"GET", "/v1/pools/{}", WEIR_API_READ, WEIR_API_HERE, 0, NULL, weir_api_pool_one},
	{"GET", "/v1/pools/{}/usage", WEIR_API_READ, WEIR_API_SLOW, 0, "window from to", weir_api_pool_usage},
	{"GET", "/v1/pools/{}/members", WEIR_API_READ, WEIR_API_SLOW, 0, "cursor limit", weir_api_pool_members},
	{"GET", "/v1/pools/{}/audit", WEIR_API_READ, WEIR_API_HERE, 0, NULL, weir_api_pool_audit},
	{"POST", "/v1/pools/{}/requests", WEIR_API_OPERATE, WEIR_API_COMMAND_QUEUE, 0, NULL, weir_api_pool_request},
	{"GET", "/v1/pools/{}/requests/{}", WEIR_API_READ, WEIR_API_SLOW, 0, NULL, weir_api_pool_request_state},
	{"POST", "/v1/guard/requests", WEIR_API_OPERATE, WEIR_API_COMMAND_QUEUE, 0, NULL, weir_api_guard_request},
	{"POST", "/v1/bulk", WEIR_API_OPERATE, WEIR_API_COMMAND_QUEUE, WEIR_API_BULK_BODY, NULL, weir_api_bulk_new},
	{"GET", "/v1/bulk/{}", WEIR_API_READ, WEIR_API_SLOW, 0, "cursor limit", weir_api_bulk_one},
	{"GET", "/v1/export/cards.csv", WEIR_API_READ, WEIR_API_SLOW, 0, CARD_FILTER " fields usage usage_fields from to name", weir_api_export_cards},
};
/* clang-format on */

const struct weir_api_route *
weir_api_routes(uint32_t *count_out)
{
	*count_out = sizeof(ROUTES) / sizeof(ROUTES[0]);
	return ROUTES;
}

/* Compares segment by segment; a {} takes any that is not empty. */
static bool
path_matches(const char *pattern, const char *path, struct weir_slice segments_out[WEIR_API_SEGMENTS_MAX])
{
	uint32_t count = 0;
	while (*pattern == '/' && *path == '/') {
		pattern++;
		path++;
		size_t want = strcspn(pattern, "/"), have = strcspn(path, "/");
		if (want == 2 && memcmp(pattern, "{}", 2) == 0) {
			if (have == 0)
				return false;
			segments_out[count++] = (struct weir_slice){(const uint8_t *)path, have};
		} else if (want != have || memcmp(pattern, path, want) != 0) {
			return false;
		}
		pattern += want;
		path += have;
	}
	return *pattern == '\0' && *path == '\0';
}

const struct weir_api_route *
weir_api_route_find(
    const char *method, const char *path, struct weir_slice segments_out[WEIR_API_SEGMENTS_MAX], char methods_out[64])
{
	size_t n = 0;
	methods_out[0] = '\0';
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (uint32_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
		memset(segments_out, 0, sizeof(*segments_out) * WEIR_API_SEGMENTS_MAX);
		if (!path_matches(ROUTES[i].path, path, segments_out))
			continue;
		if (strcmp(ROUTES[i].method, method) == 0)
			return &ROUTES[i];
		n += (size_t)snprintf(methods_out + n, 64 - n, "%s%s", n > 0 ? ", " : "", ROUTES[i].method);
	}
	return NULL;
}
