/* What is under a connection: names, a socket, TLS. Nothing here waits. */
#ifndef WEIR_CONSUMERS_TRANSPORT_H
#define WEIR_CONSUMERS_TRANSPORT_H

#include <sys/types.h>

#include "consumers/wire/conn.h"

/* Looks the host up: 1 done (conn->address), 0 under way, -1 there is no such host. */
int naming_begin(struct conn *conn);
int naming_poll(struct conn *conn);
void naming_drop(struct conn *conn);

/* Begins to connect; false: not to this address. */
bool transport_connect(struct conn *conn, const struct addrinfo *address);
/* errno of the attempt, 0 when it is connected, EINPROGRESS while it is not known. */
int transport_connected(struct conn *conn);
/* 1 done, 0 under way, -1 failed (why is text). */
int transport_tls(struct conn *conn, char *text, size_t size);
/* Bytes moved; 0: would wait; -1: over. */
ssize_t transport_read(struct conn *conn, uint8_t *to, size_t size);
ssize_t transport_write(struct conn *conn, const uint8_t *from, size_t size);
void transport_close(struct conn *conn);
void transport_random(uint8_t *out, size_t len);

#endif
