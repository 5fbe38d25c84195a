/*
 * One JSON message into one struct weir_reference, or a text that names the member; see reference.h.
 *
 * Strict on purpose: a member that is spelled wrong would otherwise leave a limit as it was, in silence. Definitions
 * (carrier, plan, pool, alerts) are whole: what they leave out gets its default; `card` messages change only what they
 * name.
 */
#include <stdio.h>

#include "config/reference/parser_priv.h"

static void
refuse_unknown_members(struct weir_ref_parser *parser)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)parser->root, name, value)
	{
		if (parser->failed)
			return;
		if (strcmp(name, "type") == 0 || weir_reference_member_find(parser->type, name) != NULL)
			continue;
		const char *near = weir_reference_member_nearest(parser->type, name);
		char shown[72];
		(void)snprintf(shown, sizeof(shown), "%.64s", name);
		weir_ref_fail(parser, shown, NULL, "unknown member%s%s%s", near ? "; did you mean " : "", near ? near : "",
		    near ? "?" : "");
	}
}

static bool
parse_type(const json_t *root, enum weir_reference_type *type_out, struct weir_error *err)
{
	const char *text = json_string_value(json_object_get(root, "type"));
	for (uint32_t i = 0; text != NULL && i <= WEIR_REF_GUARD; i++)
		if (strcmp(text, weir_reference_type_name((enum weir_reference_type)i)) == 0) {
			*type_out = (enum weir_reference_type)i;
			return true;
		}
	(void)weir_error_set(err, WEIR_POISON, "type: must be carrier, plan, pool, alerts, card, request or guard");
	return false;
}

static void
parse_members(struct weir_ref_parser *parser, struct weir_reference *reference)
{
	switch (parser->type) {
	case WEIR_REF_CARRIER:
		weir_ref_parse_carrier(parser, &reference->carrier);
		break;
	case WEIR_REF_PLAN:
		weir_ref_parse_plan(parser, &reference->plan);
		break;
	case WEIR_REF_CARD:
		weir_ref_parse_card(parser, &reference->card);
		break;
	case WEIR_REF_REQUEST:
		weir_ref_parse_request(parser, &reference->request);
		break;
	case WEIR_REF_POOL:
		weir_ref_parse_pool(parser, &reference->pool);
		break;
	case WEIR_REF_POOL_STATE:
		weir_ref_parse_pool_state(parser, &reference->pool_state);
		break;
	case WEIR_REF_CHILD:
		weir_ref_parse_child(parser, &reference->child);
		break;
	case WEIR_REF_ALERTS:
		weir_ref_parse_alerts(parser, &reference->alerts);
		break;
	case WEIR_REF_GUARD:
		weir_ref_parse_guard(parser);
		break;
	}
}

enum weir_class
weir_reference_from_json(const json_t *root, struct weir_reference *reference_out, struct weir_error *err)
{
	struct weir_ref_parser parser = {.root = root, .err = err};
	if (!json_is_object(root))
		return weir_error_set(err, WEIR_POISON, "must be one JSON object");
	if (!parse_type(root, &parser.type, err))
		return WEIR_POISON;
	memset(reference_out, 0, sizeof(*reference_out));
	reference_out->type = parser.type;
	refuse_unknown_members(&parser);
	parse_members(&parser, reference_out);
	return parser.failed ? WEIR_POISON : WEIR_OK;
}

enum weir_class
weir_reference_parse(struct weir_slice json, struct weir_reference *reference_out, struct weir_error *err)
{
	struct weir_ref_pool_state word = {0};
	if (weir_ref_scan_pool_state(json, &word)) {
		memset(reference_out, 0, sizeof(*reference_out));
		reference_out->type = WEIR_REF_POOL_STATE;
		memcpy(&reference_out->pool_state, &word, sizeof(word));
		return WEIR_OK;
	}
	json_error_t json_err;
	json_t *root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &json_err);
	if (root == NULL) {
		(void)weir_error_set(err, WEIR_POISON, "not valid JSON: %s", json_err.text);
		for (char *at = err != NULL ? err->text : NULL; at != NULL && *at != '\0'; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f)
				*at = '?';
		return WEIR_POISON;
	}
	enum weir_class class = weir_reference_from_json(root, reference_out, err);
	json_decref(root);
	return class;
}
