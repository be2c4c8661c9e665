/* tests/unit/message/test_direction.c - which mail is our own. */
#include "common/message/direction.h"

#include "tests/unit/unit.h"

static const struct {
    const char *what, *address, *port_of_daemon, *login;
    unsigned port;
    enum direction_reason why;
} cases[] = {
    { "from outside", "198.51.100.1", "25", "", 40000, DIRECTION_INBOUND },
    { "with a login", "198.51.100.1", "25", "a", 40000, DIRECTION_LOGIN },
    { "from an own network", "192.0.2.77", "25", "", 40000, DIRECTION_INTERNAL },
    { "from an own network of IPv6", "2001:db8::7", "25", "", 40000, DIRECTION_INTERNAL },
    { "on a port for users", "198.51.100.1", "587", "", 40000, DIRECTION_PORT },
    { "on a port that looks like one", "198.51.100.1", "5870", "", 40000, DIRECTION_INBOUND },
    { "not by SMTP", NULL, "", "", 0, DIRECTION_THIS_HOST },
    { "of sendmail(1), as Postfix says it", "127.0.0.1", "", "", 0, DIRECTION_THIS_HOST },
    { "of a client on this host", "127.0.0.1", "25", "", 40000, DIRECTION_INBOUND },
    { "of a client whose port is not known", "198.51.100.1", "25", "", 0, DIRECTION_INBOUND },
};

static void tells_own_mail_from_others(UNUSED void **state)
{
    static const struct slice networks[] = { SLICE_INIT("192.0.2.0/24"),
                                             SLICE_INIT("2001:db8::/32") };
    static const struct slice ports[] = { SLICE_INIT("465"), SLICE_INIT("587") };
    const struct direction_config config = { { networks, COUNT(networks) },
                                             { ports, COUNT(ports) } };
    struct direction direction;

    assert_true(direction_make(&direction, &config));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message message = { .sasl_username = slice_of(cases[i].login),
                                   .client = { .port = cases[i].port,
                                               .daemon_port = slice_of(cases[i].port_of_daemon) } };
        message.client.has_address =
            cases[i].address != NULL &&
            ip_address_parse(slice_of(cases[i].address), &message.client.address);
        enum direction_reason why = direction_why(&direction, &message);
        if (why != cases[i].why ||
            direction_is_outbound(&direction, &message) != (why != DIRECTION_INBOUND))
            fail_msg("%s: %s", cases[i].what, direction_reasons[why]);
    }
    direction_free(&direction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_own_mail_from_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
