#include "tests/unit/unit.h"

#include "common/net/redis_url.h"

static const struct {
    const char *text;
    enum redis_url_kind kind;
    const char *user, *path, *master, *host; /* the last host */
    size_t hosts;
    uint16_t port;
    unsigned db;
} good[] = {
    { "redis://127.0.0.1", REDIS_URL_TCP, "", "", "", "127.0.0.1", 1, 6379, 0 },
    { "redis://h:1/", REDIS_URL_TCP, "", "", "", "h", 1, 1, 0 },
    { "redis://gate@redis.example.com:6380/12", REDIS_URL_TCP, "gate", "", "", "redis.example.com",
      1, 6380, 12 },
    { "redis://[::1]", REDIS_URL_TCP, "", "", "", "::1", 1, 6379, 0 },
    { "redis://[2001:db8::1]:6380/3", REDIS_URL_TCP, "", "", "", "2001:db8::1", 1, 6380, 3 },
    { "redis://h:65535/65535", REDIS_URL_TCP, "", "", "", "h", 1, 65535, 65535 },
    { "redis+unix:///run/redis.sock", REDIS_URL_UNIX, "", "/run/redis.sock", "", "", 0, 0, 0 },
    { "redis+unix:///run/redis.sock?db=2", REDIS_URL_UNIX, "", "/run/redis.sock", "", "", 0, 0, 2 },
    { "redis+unix://gate@/run/redis.sock", REDIS_URL_UNIX, "gate", "/run/redis.sock", "", "", 0, 0,
      0 },
    { "redis+sentinel://a,b:1,[::2]:3/mymaster", REDIS_URL_SENTINEL, "", "", "mymaster", "::2", 3,
      3, 0 },
    { "redis+sentinel://gate@a/m?db=4", REDIS_URL_SENTINEL, "gate", "", "m", "a", 1, 26379, 4 },
};

static void reads_every_form(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct redis_url url;
        const char *error = "";
        if (!redis_url_parse(slice_of(good[i].text), &url, &error))
            fail_msg("%s: %s", good[i].text, error);
        const struct redis_host *last = &url.hosts[url.host_count - (url.host_count > 0)];
        if (url.kind != good[i].kind || strcmp(url.user, good[i].user) != 0 ||
            strcmp(url.path, good[i].path) != 0 || strcmp(url.master, good[i].master) != 0 ||
            strcmp(last->name, good[i].host) != 0 || url.host_count != good[i].hosts ||
            last->port != good[i].port || url.db != good[i].db)
            fail_msg("%s", good[i].text);
    }
}

static const struct {
    const char *text, *error; /* a part of it */
} bad[] = {
    { "", "begins with" },
    { "http://x", "begins with" },
    { "redis://", "missing" },
    { "redis://:6379", "missing" },
    { "redis://h:", "port" },
    { "redis://h:0", "port" },
    { "redis://h:65536", "port" },
    { "redis://h:6379/x", "database" },
    { "redis://h:6379/65536", "database" },
    { "redis://::1", "brackets" },
    { "redis://[::1", "]" },
    { "redis://[::1]x", "PORT" },
    { "redis://h t", "a name or an address" },
    { "redis://user:secret@h", "password" },
    { "redis://@h", "user" },
    { "redis+unix://run/x", "absolute" },
    { "redis+unix:///x?base=1", "db=" },
    { "redis+unix:///"
      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456"
      "789012345678",
      "107" },
    { "redis+sentinel://h:1", "master" },
    { "redis+sentinel://h:1/", "master" },
    { "redis+sentinel:///m", "missing" },
    { "redis+sentinel://1,2,3,4,5,6,7,8,9/m", "at most 8" },
};

static void says_what_is_wrong(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct redis_url url = { .db = 77 };
        const char *error = "";
        if (redis_url_parse(slice_of(bad[i].text), &url, &error) || url.db != 77 ||
            strstr(error, bad[i].error) == NULL)
            fail_msg("%s: %s", bad[i].text, error);
    }
}

static void reads_secrets_from_a_file(UNUSED void **state)
{
    static const struct {
        const char *text;
        bool is_good;
        const char *password, *user, *sentinel;
    } rows[] = {
        { "", true, "", "", "" },
        { "pass word#1\n", true, "pass word#1", "", "" },
        { "secret", true, "secret", "", "" },
        { "a\nsentinel_user = u\n\n# note\nsentinel_password=p=q\n", true, "a", "u", "p=q" },
        { "\nsentinel_password = p", true, "", "", "p" },
        { "a\nb\n", false, "", "", "" },
        { "a\nuser = b\n", false, "", "", "" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct redis_secrets secrets = { .password = "" };
        const char *error;
        bool is_good = redis_secrets_parse(slice_of(rows[i].text), &secrets, &error);
        if (is_good != rows[i].is_good || strcmp(secrets.password, rows[i].password) != 0 ||
            strcmp(secrets.sentinel_user, rows[i].user) != 0 ||
            strcmp(secrets.sentinel_password, rows[i].sentinel) != 0)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(reads_secrets_from_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
