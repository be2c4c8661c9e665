/* tests/unit/config/test_param.c - from a document to a program's struct; every mistake with its place. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tests/unit/config/example.h"

struct fixture {
    struct arena *arena;
    struct conf_errors *errors;
    struct conf *conf;
    struct example_config config;
    bool ok;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){ .arena = arena_new(1 << 20), .errors = conf_errors_new() };
    assert_non_null(fixture.arena);
    assert_non_null(fixture.errors);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_free(&fixture->arena);
    conf_errors_free(&fixture->errors);
    return 0;
}

static struct conf *parse(struct fixture *fixture, const char *text)
{
    struct conf *conf =
        conf_parse(SLICE("t.conf"), slice_of(text), NULL, 0, fixture->arena, fixture->errors);

    assert_non_null(conf);
    return conf;
}

static void load(struct fixture *fixture, const char *text)
{
    fixture->conf = parse(fixture, text);
    fixture->ok = conf_load(&example_schema, fixture->conf, fixture->arena, &fixture->config,
                            fixture->errors);
}

static void assert_printed(const char *what, struct fixture *fixture, const char *want)
{
    AUTO_BUF out = BUF_INIT(1 << 16);

    assert_int_equal(0, conf_errors_print(fixture->errors, &out));
    if (strcmp(buf_text(&out), want) != 0)
        fail_msg("%s: want\n%sgot\n%s", what, want, buf_text(&out));
}

static void the_example_is_sound(UNUSED void **state)
{
    struct conf_complaint why;

    if (!conf_schema_is_sound(&example_schema, &why))
        fail_msg("%s", why.text);
}

/* ---- good values ---- */

static void fills_in_defaults(void **state)
{
    struct fixture *fixture = *state;
    const struct example_config *config = &fixture->config;

    load(fixture, "name = x\n");
    assert_printed("defaults", fixture, "");
    assert_true(fixture->ok);
    assert_slice("x", config->name);
    assert_int_equal(2, config->listen.count);
    assert_true(config->fast);
    assert_int_equal(10, config->count);
    assert_int_equal(65536, config->size);
    assert_int_equal(300000, config->delay);
    assert_int_equal(0660, config->mode);
    assert_int_equal(GREEN, config->colour);
    assert_null(config->motto.ptr); /* not given, no default: absent */
    assert_null(config->database.ptr);
    assert_int_equal(0, config->zones.count);
    assert_int_equal(0, config->limit_count);
    assert_int_equal(0, config->classes_count);
}

static void fills_in_what_is_given(void **state)
{
    struct fixture *fixture = *state;
    const struct example_config *config = &fixture->config;

    load(fixture, "name = x y\nlisten = unix:/a\nfast = no\ncount = 128\nsize = 1K\ndelay = 90\n"
                  "mode = 600\ncolour = blue\nmotto =\ndatabase = /x/y z\nzones = a, b\n c\n");
    assert_printed("given", fixture, "");
    assert_true(fixture->ok);
    assert_slice("x y", config->name);
    assert_int_equal(1, config->listen.count);
    assert_false(config->fast);
    assert_int_equal(128, config->count);
    assert_int_equal(1024, config->size);
    assert_int_equal(90000, config->delay);
    assert_int_equal(0600, config->mode);
    assert_int_equal(BLUE, config->colour);
    assert_non_null(config->motto.ptr); /* given, and empty */
    assert_int_equal(0, config->motto.len);
    assert_slice("/x/y z", config->database);
    assert_int_equal(3, config->zones.count);
    assert_slice("a", config->zones.items[0]);
    assert_slice("b", config->zones.items[1]);
    assert_slice("c", config->zones.items[2]);
}

static void parses_addresses_to_listen_on(void **state)
{
    struct fixture *fixture = *state;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    char text[INET6_ADDRSTRLEN];

    load(fixture, "name = x\nlisten = inet:192.0.2.1:65535, inet:[::1]:1,, unix:/run/a b\n");
    assert_printed("listen", fixture,
                   "t.conf:2:59: listen: \"b\" is neither unix:PATH nor inet:ADDRESS:PORT\n");
    load(fixture, "name = x\nlisten = inet:192.0.2.1:65535, inet:[::1]:1,, unix:/run/a\n");
    assert_int_equal(3, fixture->config.listen.count);
    const struct conf_listen *items = fixture->config.listen.items;
    assert_slice("inet:192.0.2.1:65535", items[0].text);
    assert_null(items[0].path.ptr);
    assert_int_equal(sizeof(in4), items[0].address_len);
    memcpy(&in4, &items[0].address, sizeof(in4));
    assert_int_equal(AF_INET, in4.sin_family);
    assert_int_equal(65535, ntohs(in4.sin_port));
    assert_string_equal("192.0.2.1", inet_ntop(AF_INET, &in4.sin_addr, text, sizeof(text)));
    assert_int_equal(sizeof(in6), items[1].address_len);
    memcpy(&in6, &items[1].address, sizeof(in6));
    assert_int_equal(AF_INET6, in6.sin6_family);
    assert_int_equal(1, ntohs(in6.sin6_port));
    assert_string_equal("::1", inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text)));
    assert_slice("/run/a", items[2].path);
    assert_int_equal(AF_UNIX, items[2].address.ss_family);
    struct sockaddr_un un;
    assert_int_equal(sizeof(un), items[2].address_len);
    memcpy(&un, &items[2].address, sizeof(un));
    assert_string_equal("/run/a", un.sun_path);
}

static void fills_in_sections(void **state)
{
    struct fixture *fixture = *state;
    const struct example_config *config = &fixture->config;

    load(fixture, "name = x\n"
                  "[limit hourly]\n"
                  "rate.user.a@example.com = 5/1h\n"
                  "rate = 1/1h\n"
                  "rate.class.gold = 7/1h\n"
                  "rate.user.b = 6/1h\n"
                  "strict = yes\n"
                  "[classes]\n"
                  "@shop.example = silver\n"
                  "rate = gold\n"
                  "[limit daily]\n"
                  "rate = 9/1d\n");
    assert_printed("sections", fixture, "");
    assert_int_equal(2, config->limit_count);
    assert_slice("hourly", config->limits[0].conf->name);
    assert_slice("1/1h", config->limits[0].rate);
    assert_true(config->limits[0].strict);
    assert_int_equal(2, config->limits[0].rate_user.count);
    assert_slice("a@example.com", config->limits[0].rate_user.items[0].name);
    assert_slice("6/1h", config->limits[0].rate_user.items[1].value);
    assert_int_equal(1, config->limits[0].rate_class.count);
    assert_slice("gold", config->limits[0].rate_class.items[0].name);
    assert_slice("daily", config->limits[1].conf->name);
    assert_false(config->limits[1].strict);
    assert_int_equal(1, config->classes_count);
    assert_int_equal(2, config->classes[0].members.count);
    assert_slice("@shop.example", config->classes[0].members.items[0].name);
}

static void keeps_the_place_of_each_value(void **state)
{
    struct fixture *fixture = *state;

    load(fixture, "name =\n  x\nzones = a,\n  bc\n[limit l]\nrate = 1/1h\nrate.user.joe = 5\n");
    const struct conf *conf = fixture->conf;
    const struct example_config *config = &fixture->config;
    struct conf_pos pos = conf_where(conf, config->zones.items[1].ptr + 1);
    assert_int_equal(4, pos.line);
    assert_int_equal(4, pos.column);
    pos = conf_param_where(conf, &conf->sections[0], "name");
    assert_int_equal(2, pos.line);
    assert_int_equal(3, pos.column);
    pos = conf_where(conf, config->limits[0].rate_user.items[0].name.ptr);
    assert_int_equal(7, pos.line);
    assert_int_equal(11, pos.column);
    pos = conf_param_where(conf, config->limits[0].conf, "strict"); /* not given: the heading */
    assert_int_equal(5, pos.line);
    pos = conf_param_where(conf, &conf->sections[0], "count");
    assert_int_equal(0, pos.line);
}

/* ---- mistakes ---- */

#define GOOD "name = x\n"
#define LONG_PATH "/0123456789012345678901234567890123456789012345678901234567890123456789012345678"

static const struct {
    const char *text, *want;
} mistakes[] = {
    { "", "t.conf: name is missing: it has no default\n" },
    { "name =\n", "t.conf:1:7: name: a value is missing\n" },
    { GOOD "fast = maybe\n", "t.conf:2:8: fast: \"maybe\" is neither yes nor no\n" },
    { GOOD "fast = Yes\n", "t.conf:2:8: fast: \"Yes\" is neither yes nor no\n" },
    { GOOD "fast =\n", "t.conf:2:7: fast: a value is missing\n" },
    { GOOD "count = 0\n", "t.conf:2:9: count: 0 is too little: the least is 1\n" },
    { GOOD "count = 129\n", "t.conf:2:9: count: 129 is too much: the most is 128\n" },
    { GOOD "count = 1K\n", "t.conf:2:9: count: \"1K\" is no whole number\n" },
    { GOOD "count = -1\n", "t.conf:2:9: count: \"-1\" is no whole number\n" },
    { GOOD "count = 18446744073709551616\n",
      "t.conf:2:9: count: \"18446744073709551616\" is no whole number\n" },
    { GOOD "count = 3 # three\n", "t.conf:2:9: count: \"3 # three\" is no whole number (a comment "
                                  "needs a line of its own)\n" },
    { GOOD "size = 1023\n", "t.conf:2:8: size: 1023 is too little: the least is 1K\n" },
    { GOOD "size = 1G\n", "t.conf:2:8: size: 1G is too much: the most is 1M\n" },
    { GOOD "size = 1T\n",
      "t.conf:2:8: size: \"1T\" is no size: write digits and K, M or G, such as "
      "256M\n" },
    { GOOD "delay = 999ms\n", "t.conf:2:9: delay: 999ms is too little: the least is 1s\n" },
    { GOOD "delay = 2d\n", "t.conf:2:9: delay: 2d is too much: the most is 1d\n" },
    { GOOD "delay =\n  5\n  x\n",
      "t.conf:3:3: delay: \"5 x\" is no time: write digits and ms, s, m, "
      "h or d, such as 90s\n" },
    { GOOD "delay = 99999999999999999999s\n",
      "t.conf:2:9: delay: \"99999999999999999999s\" is too great a number\n" },
    { GOOD "mode = 0668\n", "t.conf:2:8: mode: \"0668\" is no octal number, such as 0660\n" },
    { GOOD "mode = 1777\n", "t.conf:2:8: mode: 1777 is too much: the most is 0777\n" },
    { GOOD "mode = 777777777777777777777777\n",
      "t.conf:2:8: mode: \"777777777777777777777777\" is no octal number, such as 0660\n" },
    { GOOD "mode = 000660\n", "t.conf:2:8: mode: \"000660\" is no octal number, such as 0660\n" },
    { GOOD "mode = 01000\n", "t.conf:2:8: mode: 01000 is too much: the most is 0777\n" },
    { GOOD "colour = gren\n", "t.conf:2:10: colour: \"gren\" is unknown; did you mean green?\n" },
    { GOOD "colour = yellow\n",
      "t.conf:2:10: colour: \"yellow\" is unknown; it must be red, green or blue\n" },
    { GOOD "motto = 123456789\n", "t.conf:2:9: motto: it must have at most 8 bytes\n" },
    { GOOD "motto = a\n  b!\n", "t.conf:3:4: motto: no ! here\n" },
    { GOOD "database = x.mmdb\n",
      "t.conf:2:12: database: \"x.mmdb\" is no absolute path: it must begin with /\n" },
    { GOOD "database = x\n",
      "t.conf:2:12: database: \"x\" is no absolute path: it must begin with /\n" },
    { GOOD "zones = a b,c d\n", "t.conf:2:15: zones: only 3 can be given here\n" },
    { GOOD "zones = a,\n  b, c!\n", "t.conf:3:7: zones: no ! here\n" },
    { GOOD "listen = ,\n", "t.conf:2:10: listen: at least 1 must be given\n" },
    { GOOD "listen =\n", "t.conf:2:9: listen: a value is missing\n" },
    { GOOD "listen = localhost:1\n",
      "t.conf:2:10: listen: \"localhost:1\" is neither unix:PATH nor inet:ADDRESS:PORT\n" },
    { GOOD "listen = unix:/a, inet:localhost:1\n",
      "t.conf:2:24: listen: \"localhost\" is neither an IPv4 address nor an IPv6 address in [ ] "
      "(all addresses are 0.0.0.0 or [::])\n" },
    { GOOD "listen = inet:::1:25\n",
      "t.conf:2:15: listen: \"::1\" is neither an IPv4 address nor an IPv6 address in [ ] "
      "(all addresses are 0.0.0.0 or [::])\n" },
    { GOOD "listen = inet:[127.0.0.1]:25\n",
      "t.conf:2:15: listen: \"127.0.0.1\" is neither an IPv4 address nor an IPv6 address in [ ] "
      "(all addresses are 0.0.0.0 or [::])\n" },
    { GOOD "listen = inet:x::1]:25\n",
      "t.conf:2:15: listen: \"x::1]\" is neither an IPv4 address nor an IPv6 address in [ ] "
      "(all addresses are 0.0.0.0 or [::])\n" },
    { GOOD "listen = inet:[::1x:25\n",
      "t.conf:2:15: listen: \"[::1x\" is neither an IPv4 address nor an IPv6 address in [ ] "
      "(all addresses are 0.0.0.0 or [::])\n" },
    { GOOD "listen = inet:[0000:0000:0000:0000:0000:0000:192.000.002.0001]:25\n",
      "t.conf:2:15: listen: \"0000:0000:0000:0000:0000:0000:192.000.002.0001\" is neither an IPv4 "
      "address nor an IPv6 address in [ ] (all addresses are 0.0.0.0 or [::])\n" },
    { GOOD "listen = inet:127.0.0.1\n",
      "t.conf:2:24: listen: a port from 1 to 65535 must end it: inet:ADDRESS:PORT\n" },
    { GOOD "listen = inet:127.0.0.1:0\n",
      "t.conf:2:25: listen: a port from 1 to 65535 must end it: inet:ADDRESS:PORT\n" },
    { GOOD "listen = inet:127.0.0.1:65536\n",
      "t.conf:2:25: listen: a port from 1 to 65535 must end it: inet:ADDRESS:PORT\n" },
    { GOOD "listen = inet:\n",
      "t.conf:2:15: listen: a port from 1 to 65535 must end it: inet:ADDRESS:PORT\n" },
    { GOOD "listen = unix:private/x\n",
      "t.conf:2:15: listen: the path of a unix socket must begin with /\n" },
    { GOOD "listen = unix:" LONG_PATH LONG_PATH "\n",
      "t.conf:2:15: listen: the path of a unix socket has at most 107 bytes\n" },
    { GOOD "listen = unix:" LONG_PATH "/1234567890123456789012345678\n",
      "t.conf:2:15: listen: the path of a unix socket has at most 107 bytes\n" },
    { GOOD "listen = unix:/a, inet:127.0.0.1:1, unix:/a\n",
      "t.conf:2:37: listen: unix:/a is given twice\n" },
    { GOOD "colur = red\n", "t.conf:2:1: unknown parameter colur; did you mean colour?\n" },
    { GOOD "quite_different = 1\n", "t.conf:2:1: unknown parameter quite_different\n" },
    { GOOD "rate = 1/1h\n", "t.conf:2:1: rate belongs under a heading [limit NAME]\n" },
    { GOOD "[limit l]\nrate = 1/1h\ncount = 5\n",
      "t.conf:4:1: count belongs before the first [heading]\n" },
    { GOOD "[limit l]\nrate = 1/1h\nspeed = 5\n",
      "t.conf:4:1: unknown parameter speed in a [limit] section\n" },
    { GOOD "[limit l]\nrate = 1/1h\nrate.usr.joe@example.com = 5\n",
      "t.conf:4:1: unknown parameter rate.usr.joe@example.com; did you mean rate.user.*?\n" },
    { GOOD "[limit l]\nrate = 1/1h\nrate.user. = 5\n",
      "t.conf:4:1: unknown parameter rate.user.; did you mean rate.user.*?\n" },
    { GOOD "[limit l]\n", "t.conf:2:2: rate is missing: it has no default\n" },
    { GOOD "[limit l]\nrate = 1\nnote = a\n", "t.conf:4:8: note: it must have at least 2 bytes\n" },
    { GOOD "[limit l]\nrate = 1!\n", "t.conf:3:9: rate: no ! here\n" },
    { GOOD "[limit l]\nrate = 1\nrate.user.j!e = 5\nrate.user.x =\n  !\n",
      "t.conf:4:12: rate.user.*: no ! here\n"
      "t.conf:6:3: rate.user.*: no ! here\n" },
    { GOOD "[limit]\nrate = 1\n", "t.conf:2:2: [limit] needs a name: [limit NAME]\n" },
    { GOOD "[classes x]\n", "t.conf:2:10: [classes] has no name and is there once at most\n" },
    { GOOD "[classes]\n[classes]\n",
      "t.conf:3:2: [classes] is there twice; the first is in line 2\n" },
    { GOOD "[limits l]\nrate = 1\n",
      "t.conf:2:2: unknown kind of section [limits]; did you mean [limit]?\n" },
    { GOOD "[zone l]\nwhat = 1\n", "t.conf:2:2: unknown kind of section [zone]\n" },
    { GOOD "[limit\nwhat = 1\n", "t.conf:2:7: the heading is not closed: ] is missing\n" },
    { GOOD "[limit l]\nrate = 1\n[limit l]\nrate = 2\nx = 1\n",
      "t.conf:4:2: [limit l] is there twice; the first is in line 2\n"
      "t.conf:6:1: unknown parameter x in a [limit] section\n" },
    { "count = 0\ndelay = x\n[limit]\nrat = 1\n",
      "t.conf: name is missing: it has no default\n"
      "t.conf:1:9: count: 0 is too little: the least is 1\n"
      "t.conf:2:9: delay: \"x\" is no time: write digits and ms, s, m, h or d, such as 90s\n"
      "t.conf:3:2: [limit] needs a name: [limit NAME]\n"
      "t.conf:3:2: rate is missing: it has no default\n"
      "t.conf:4:1: unknown parameter rat; did you mean rate?\n" },
};

static void reports_every_mistake_with_its_place(UNUSED void **unused)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        void *state;
        set_up(&state);
        struct fixture *fixture = state;
        load(fixture, mistakes[i].text);
        assert_printed(mistakes[i].text, fixture, mistakes[i].want);
        tear_down(&state);
    }
}

static void keeps_the_default_where_a_value_is_wrong(void **state)
{
    struct fixture *fixture = *state;

    load(fixture, "name = x\ncount = 1000\nzones = a!\n[limit a]\nrate = 1\n[limit a]\nrate = 2\n"
                  "[limit b]\nrate = 3\n");
    assert_false(fixture->ok);
    assert_int_equal(10, fixture->config.count);
    assert_int_equal(0, fixture->config.zones.count);
    assert_int_equal(2, fixture->config.limit_count); /* without the repeated one */
    assert_slice("1", fixture->config.limits[0].rate);
    assert_slice("b", fixture->config.limits[1].conf->name);
}

static void reports_overrides_by_their_text(void **state)
{
    struct fixture *fixture = *state;
    const struct slice overrides[] = { SLICE("count=0"), SLICE("limit/l:rate=!"), SLICE("cont=1") };

    fixture->conf = conf_parse(SLICE("t.conf"), SLICE("name = x\n[limit l]\nrate = 1\n"), overrides,
                               COUNT(overrides), fixture->arena, fixture->errors);
    assert_false(conf_load(&example_schema, fixture->conf, fixture->arena, &fixture->config,
                           fixture->errors));
    assert_printed("overrides", fixture,
                   "-o count=0: count: 0 is too little: the least is 1\n"
                   "-o cont=1: unknown parameter cont; did you mean count?\n"
                   "-o limit/l:rate=!: rate: no ! here\n");
}

static void says_when_memory_is_out(void **state)
{
    struct fixture *fixture = *state;
    struct arena *small = arena_new(8);

    fixture->conf = parse(fixture, "name = x\nzones = a\n[limit l]\nrate = 1\n");
    assert_false(
        conf_load(&example_schema, fixture->conf, small, &fixture->config, fixture->errors));
    assert_int_equal(0, fixture->config.limit_count);
    assert_int_equal(0, fixture->config.zones.count);
    arena_free(&small);
}

/* ---- reload ---- */

static void warns_of_what_needs_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct conf *before = parse(fixture, "name = x\ncount = 5\nsize = 1024\n");
    struct conf *after = parse(fixture, "name = y\ncount = 6\nsize = 1K\nlisten = unix:/x\n"
                                        "fast = no\nmode = 660\n");

    conf_warn_restart(&example_schema, before, after, fixture->errors);
    assert_int_equal(0, conf_errors_count(fixture->errors));
    assert_printed("restart", fixture,
                   "t.conf:2:9: warning: count changes at the next restart, not by a reload\n"
                   "t.conf:4:10: warning: listen changes at the next restart, not by a reload\n");
}

/* ---- tables that are wrong ---- */

#define CONF_STRUCT struct example_config
#define DOC .doc = "It is."
static const struct {
    struct conf_param rows[2];
    const char *want;
} unsound[] = {
    { { { PARAM(fast), CONF_TIME, "5s", DOC } }, "fast: the field does not have the type's size" },
    { { { PARAM(fast), CONF_BOOLEAN, "yes", .doc = "It is" } },
      "fast: no documentation that ends with a full stop" },
    { { { PARAM(count), CONF_INTEGER, "5", 6, 4, DOC } }, "count: least is more than most" },
    { { { PARAM(count), CONF_INTEGER, "5", 6, 9, DOC } },
      "count: \"5\": 5 is too little: the least is 6" },
    { { { PARAM(count), CONF_INTEGER, "", DOC } }, "count: \"\": a value is missing" },
    { { { PARAM(count), CONF_INTEGER, "5", .example = "x", DOC } },
      "count: \"x\": \"x\" is no whole number" },
    { { { PARAM(motto), CONF_TEXT, NULL, DOC } }, "motto: neither default nor example" },
    { { { PARAM(colour), CONF_WORD, "red", DOC } }, "colour: words or * do not go with the type" },
    { { { PARAM_AS("x.*", motto), CONF_TEXT, "", DOC } },
      "x.*: words or * do not go with the type" },
    { { { PARAM(fast), CONF_BOOLEAN, "yes", DOC }, { PARAM(fast), CONF_BOOLEAN, "no", DOC } },
      "fast: there twice" },
    { { { PARAM(fast), CONF_BOOLEAN, "$fast", DOC } },
      "fast: $fast is no parameter that it could be taken from" },
};

static void finds_what_is_wrong_with_a_table(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(unsound); i++) {
        struct conf_schema schema = { .params = unsound[i].rows,
                                      .param_count = unsound[i].rows[1].name == NULL ? 1 : 2,
                                      .size = sizeof(struct example_config) };
        struct conf_complaint why;
        if (conf_schema_is_sound(&schema, &why))
            fail_msg("sound, but: %s", unsound[i].want);
        if (strcmp(why.text, unsound[i].want) != 0)
            fail_msg("want %s, got %s", unsound[i].want, why.text);
    }
}

static void finds_what_is_wrong_with_a_section_example(UNUSED void **state)
{
    struct conf_kind kinds[2] = { example_kinds[0], example_kinds[1] };
    struct conf_schema schema = example_schema;
    struct conf_complaint why;

    schema.kinds = kinds;
    kinds[0].example = "[limit x]\nrat = 1\nrate = 2\n";
    assert_false(conf_schema_is_sound(&schema, &why));
    assert_string_equal("limit:2:1: unknown parameter rat; did you mean rate?\n", why.text);
    kinds[0] = kinds[1];
    assert_false(conf_schema_is_sound(&schema, &why));
    assert_string_equal("[classes]: there twice", why.text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_sound),
        TEST(fills_in_defaults),
        TEST(fills_in_what_is_given),
        TEST(parses_addresses_to_listen_on),
        TEST(fills_in_sections),
        TEST(keeps_the_place_of_each_value),
        cmocka_unit_test(reports_every_mistake_with_its_place),
        TEST(keeps_the_default_where_a_value_is_wrong),
        TEST(reports_overrides_by_their_text),
        TEST(says_when_memory_is_out),
        TEST(warns_of_what_needs_a_restart),
        cmocka_unit_test(finds_what_is_wrong_with_a_table),
        cmocka_unit_test(finds_what_is_wrong_with_a_section_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
