/* contentd/scanners/scanner_address.h - one address of a scanner as it is written in the configuration. Pure. */
#ifndef GATEHOUSE_CONTENTD_SCANNER_ADDRESS_H
#define GATEHOUSE_CONTENTD_SCANNER_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/slice.h"

enum { SCANNER_HOST_SIZE = 254, SCANNER_TEXT_SIZE = SCANNER_HOST_SIZE + 16 };

struct scanner_address {
    char text[SCANNER_TEXT_SIZE]; /* as configured */
    char name[SCANNER_HOST_SIZE]; /* of the host, to be looked up; empty: `socket` is its address */
    uint16_t port; /* 0: a unix socket */
    struct sockaddr_storage socket;
    socklen_t length;
};

/* `unix:/path`, `inet:host:port`, `inet:[::1]:port`. False, with a constant text in *error, for anything else. */
bool scanner_address_parse(struct slice text, struct scanner_address *out, const char **error);

/* A numeric IPv4 or IPv6 address with this port; false when it is none. */
bool scanner_address_numeric(const char *text, uint16_t port, struct sockaddr_storage *socket,
                             socklen_t *length);

/* What stands in a Host field: `host:port`; `localhost` for a unix socket. Borrowed from the address. */
const char *scanner_address_host(const struct scanner_address *address);

#endif
