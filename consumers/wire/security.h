/*
 * What kafka.properties say about security, read by the names librdkafka has for it, and what comes of it: an OpenSSL
 * context and a SASL mechanism.
 */
#ifndef WEIR_CONSUMERS_SECURITY_H
#define WEIR_CONSUMERS_SECURITY_H

#include <stdbool.h>

#include "config/settings/settings.h"
#include "consumers/wire/scram.h"

struct ssl_ctx_st;

enum security_mechanism { SECURITY_NO_SASL, SECURITY_PLAIN, SECURITY_SCRAM_256, SECURITY_SCRAM_512 };

struct security {
	struct ssl_ctx_st *tls; /* NULL: plain text */
	bool check_host;
	enum security_mechanism mechanism;
	const char *user, *password; /* of the settings */
};

/* A property's value, or NULL. The last of two names of one thing wins, as librdkafka has it. */
const char *security_property(const struct weir_settings *settings, const char *name);
/* What of the settings the direct source cannot do; NULL: nothing. In words of the properties. */
const char *security_unable(const struct weir_settings *settings, char *text, size_t size);
/* FATAL names the property and what is wrong with it. */
enum weir_class security_open(struct security *security, const struct weir_settings *settings, struct weir_error *err);
void security_close(struct security *security);
const char *security_mechanism_name(enum security_mechanism mechanism);

#endif
