/* common/message/direction.c - see direction.h. */
#include "common/message/direction.h"

#include <stdlib.h>

bool direction_check_network(struct slice text, struct conf_complaint *out)
{
    char error[IPNET_ERROR_MAX];
    struct ipnet net;

    return ipnet_parse(text, &net, error) || conf_complain(out, 0, "%s", error);
}

bool direction_check_port(struct slice text, struct conf_complaint *out)
{
    uint64_t port;

    return (slice_to_u64(text, &port) && port > 0 && port < 65536) ||
           conf_complain(out, 0, "not a port: 1 to 65535");
}

bool direction_make(struct direction *out, const struct direction_config *config)
{
    const struct conf_list *texts = &config->internal_networks;

    *out = (struct direction){ .internal = calloc(texts->count + 1, sizeof *out->internal),
                               .ports = &config->outbound_ports };
    if (out->internal == NULL)
        return false;
    for (size_t i = 0; i < texts->count; i++) /* what is no network was reported with the file */
        out->internal_count +=
            ipnet_parse(texts->items[i], &out->internal[out->internal_count], NULL);
    return true;
}

void direction_free(struct direction *direction)
{
    free(direction->internal);
    direction->internal = NULL;
    direction->internal_count = 0;
}

/* What sendmail(1) takes Postfix gives to milters as mail of 127.0.0.1, port 0, which no client has. */
static bool is_of_this_host(const struct message_client *client)
{
    struct ip_address own;

    return !client->has_address ||
           (client->port == 0 && ip_address_parse(SLICE("127.0.0.1"), &own) &&
            ip_address_equal(&client->address, &own));
}

const char *const direction_reasons[] = {
    [DIRECTION_INBOUND] = "no login, not of this host, of internal_networks or outbound_ports",
    [DIRECTION_LOGIN] = "the client has logged in",
    [DIRECTION_THIS_HOST] = "it is mail of this host",
    [DIRECTION_INTERNAL] = "the client is in internal_networks",
    [DIRECTION_PORT] = "it came in on one of outbound_ports",
};

enum direction_reason direction_why(const struct direction *direction,
                                    const struct message *message)
{
    const struct message_client *client = &message->client;

    if (message->sasl_username.len > 0)
        return DIRECTION_LOGIN;
    if (is_of_this_host(client))
        return DIRECTION_THIS_HOST;
    struct ipnet net = ipnet_of(&client->address);
    for (size_t i = 0; i < direction->internal_count; i++)
        if (ipnet_contains(&direction->internal[i], &net))
            return DIRECTION_INTERNAL;
    for (size_t i = 0; i < direction->ports->count; i++)
        if (slice_equal(direction->ports->items[i], client->daemon_port))
            return DIRECTION_PORT;
    return DIRECTION_INBOUND;
}

bool direction_is_outbound(const struct direction *direction, const struct message *message)
{
    return direction_why(direction, message) != DIRECTION_INBOUND;
}
