/* common/message/direction.h - which mail is our own: of clients that have logged in, of internal networks, of ports for
 * submission, of the host itself. The parameters internal_networks and outbound_ports of every milter. */
#ifndef GATEHOUSE_MESSAGE_DIRECTION_H
#define GATEHOUSE_MESSAGE_DIRECTION_H

#include "common/config/param.h"
#include "common/milter/message.h"

struct direction_config {
    struct conf_list internal_networks, outbound_ports;
};

bool direction_check_network(struct slice text, struct conf_complaint *out);
bool direction_check_port(struct slice text, struct conf_complaint *out);

/* A daemon's struct has a member `struct direction_config direction`, and its table embeds these rows. */
/* clang-format off */
#define DIRECTION_PARAMS                                                                           \
    { PARAM_AS("internal_networks", direction.internal_networks), CONF_LIST, "127.0.0.0/8, ::1", 0, 1000, \
      .check = direction_check_network, .live = true, .example = "127.0.0.0/8, ::1, 192.0.2.0/24", \
      .doc = "Own hosts, as mynetworks of main.cf: their mail is outbound (direction = outbound), as is that of clients that " \
             "have logged in and of this host itself." },                                          \
    { PARAM_AS("outbound_ports", direction.outbound_ports), CONF_LIST, "", 0, 16,                  \
      .check = direction_check_port, .live = true, .example = "587, 465",                          \
      .doc = "All mail that comes in on these ports is outbound." }
/* clang-format on */

struct direction { /* immutable; any thread */
    struct ipnet *internal; /* owned */
    size_t internal_count;
    const struct conf_list *ports; /* borrowed from the configuration */
};
/* False: out of memory. */
bool direction_make(struct direction *out, const struct direction_config *config);
void direction_free(struct direction *direction); /* what is zeroed, too */

enum direction_reason {
    DIRECTION_INBOUND, /* none of the others */
    DIRECTION_LOGIN,
    DIRECTION_THIS_HOST,
    DIRECTION_INTERNAL, /* internal_networks */
    DIRECTION_PORT, /* outbound_ports */
};
extern const char *const direction_reasons[]; /* half sentences: "the client has logged in" */

/* The first that makes it outbound. */
enum direction_reason direction_why(const struct direction *direction,
                                    const struct message *message);
bool direction_is_outbound(const struct direction *direction, const struct message *message);

#endif
