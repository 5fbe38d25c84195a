/* Smart cards (POOL-8): sub-cards tell their parent's partition; one level; the list survives, and may be there first. */
#include "pool_net.h"

#include "aggregators/apply/smart_cards.h"

/* Where the exchange takes what is keyed by the card's ICCID. */
static uint32_t
home_of(unsigned n)
{
	char text[WEIR_ICCID_TEXT_MAX];
	net_iccid_text(n, text);
	return net_home(text);
}

static void
parent_of(struct net *net, unsigned child, unsigned parent)
{
	char text[WEIR_ICCID_TEXT_MAX];
	net_iccid_text(parent, text);
	net_card_upsert(net, home_of(child), child, "'carrier':'cm','parent':'%s'", text);
}

/* The stored line of the parent's children, or "". */
static const char *
line_of(struct net *net, unsigned parent)
{
	static char line[2048];
	char begin[64], text[WEIR_ICCID_TEXT_MAX];
	net_iccid_text(parent, text);
	(void)snprintf(begin, sizeof(begin), "{\"type\":\"children\",\"parent\":\"%s\"", text);
	struct net_store *store = &net->store[home_of(parent)];
	net_flush(net, home_of(parent));
	line[0] = '\0';
	for (size_t at = 0; at < store->references.len;) {
		const uint8_t *from = store->references.data + at;
		size_t len = (size_t)((uint8_t *)memchr(from, '\n', store->references.len - at) - from);
		if (len > strlen(begin) && memcmp(from, begin, strlen(begin)) == 0)
			(void)snprintf(line, sizeof(line), "%.*s", (int)len, (const char *)from);
		at += len + 1;
	}
	return line;
}

static bool
has_children(struct net *net, unsigned n)
{
	return (net_card(net, home_of(n), n)->flags & WEIR_CARD_HAS_CHILDREN) != 0;
}

/* rule POOL-8: the parent's partition has the list, told once each, less who left. */
static void
test_children(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_card_upsert(net, home_of(1), 1, "'carrier':'cm'");
	for (unsigned n = 2; n <= 4; n++)
		parent_of(net, n, 1);
	parent_of(net, 2, 1); /* again */
	net_pump(net);
	net_apply(net, home_of(1),
	    "{'type':'child','parent':'89860000000000000001','child':'89860000000000000002','removed':false}");
	assert_true(has_children(net, 1));
	assert_string_equal(line_of(net, 1),
	    "{\"type\":\"children\",\"parent\":\"89860000000000000001\",\"children\":[\"89860000000000000002\","
	    "\"89860000000000000003\",\"89860000000000000004\"]}");
	net_card_upsert(net, home_of(2), 2, "'parent':null");
	parent_of(net, 3, 9);
	net_pump(net);
	assert_string_equal(line_of(net, 1),
	    "{\"type\":\"children\",\"parent\":\"89860000000000000001\",\"children\":[\"89860000000000000004\"]}");
	assert_string_equal(line_of(net, 9),
	    "{\"type\":\"children\",\"parent\":\"89860000000000000009\",\"children\":[\"89860000000000000003\"]}");
	net_card_upsert(net, home_of(4), 4, "'parent':null");
	net_pump(net);
	assert_false(has_children(net, 1));
	net_card_upsert(net, home_of(9), 9, "'carrier':'cm'"); /* defined after its child */
	assert_true(has_children(net, 9));
	net_free(net);
}

/* rule POOL-8: one level, from whichever side it would become two. */
static void
test_one_level(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	for (unsigned n = 1; n <= 3; n++)
		net_card_upsert(net, home_of(n), n, "'carrier':'cm'");
	parent_of(net, 2, 1);
	net_pump(net);
	char text[WEIR_ICCID_TEXT_MAX];
	net_iccid_text(3, text);
	assert_int_equal(
	    net_try(net, home_of(1), "{'type':'card','iccid':'89860000000000000001','parent':'%s'}", text), WEIR_POISON);
	assert_non_null(strstr(net_last_refusal(net), "POOL-8"));
	uint32_t refused = net->refused_count;
	parent_of(net, 3, 2);
	net_pump(net);
	assert_int_equal(net->refused_count, refused + 1);
	assert_non_null(strstr(net_last_refusal(net), "POOL-8"));
	assert_false(has_children(net, 2));
	net_free(net);
}

/* Sixteen at most; the seventeenth is refused by the parent's partition. */
static void
test_too_many(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	for (unsigned n = 2; n < 18; n++)
		parent_of(net, n, 1);
	net_pump(net);
	assert_int_equal(net->refused_count, 0);
	parent_of(net, 18, 1);
	net_pump(net);
	assert_int_equal(net->refused_count, 1);
	net_free(net);
}

/* A load brings the list back; lines that weir did not write are refused. */
static void
test_load(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_card_upsert(net, home_of(1), 1, "'carrier':'cm'");
	parent_of(net, 2, 1);
	net_pump(net);
	net_flush(net, home_of(1));
	net_crash(net, home_of(1));
	parent_of(net, 3, 1);
	net_pump(net);
	assert_non_null(strstr(line_of(net, 1), "[\"89860000000000000002\",\"89860000000000000003\"]"));
	static const char *const bad[] = {"", "{\"type\":\"children\",\"parent\":\"8986\",\"children\":[]}",
	    "{\"type\":\"children\",\"parent\":\"89860000000000000055\",\"children\":[\"89860000000000000056\"",
	    "{\"type\":\"children\",\"parent\":\"89860000000000000055\",\"children\":[\"89860000000000000056\"]}x",
	    "{\"type\":\"children\",\"parent\":\"89860000000000000055\",\"children\":[,]}",
	    "{\"type\":\"children\",\"parent\":\"89860000000000000055",
	    "{\"type\":\"children\",\"parent\":\"89860000000000000001\",\"children\":[]}" /* is there already */};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(weir_smart_load(net->p[home_of(1)], weir_slice_of(bad[i])));
	net_free(net);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_children),
	    cmocka_unit_test(test_one_level),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
