/*
 * The brokers that the settings name: kafka.properties' bootstrap.servers, else kafka.brokers. Pure: reads text.
 */
#ifndef WEIR_CONSUMERS_BROKERS_H
#define WEIR_CONSUMERS_BROKERS_H

#include <stdint.h>

#include "config/settings/settings.h"

/* Calls each for every broker of "host:port, [address]:port, host", a scheme before it left out; port 9092 by default. */
void brokers_each(const struct weir_settings *settings, void (*each)(void *ctx, const char *host, int32_t port), void *ctx);

#endif
