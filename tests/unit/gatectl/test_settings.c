/* tests/unit/gatectl/test_settings.c - what gatectl takes from a daemon's configuration. */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "gatectl/settings.h"

static const char config[] = "# a comment\n"
                             "http = unix:/run/x.http\n"
                             "store = redis://127.0.0.1:1/2\n"
                             "quarantine_directory = /q\n"
                             "release = inet:127.0.0.1:1\n"
                             "strange = what\n" /* the daemon's to report */
                             "[limit user-hourly]\n"
                             "key = sasl_username\n"
                             "count = recipients\n"
                             "rate = 200/1h\n"
                             "rate.class.gold = unlimited\n"
                             "[limit pair]\n"
                             "key = sender_domain, client_net\n"
                             "rate = 5/1m\n"
                             "[limit broken]\n"
                             "rate = what\n"
                             "[list block]\n"
                             "[classes]\n"
                             "@shop.example = gold\n";

static struct settings *read_text(const char *text)
{
    char path[] = "/tmp/gatehouse-settings-XXXXXX", error[200] = "";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    struct settings *settings = settings_read(path, true, GATECTL_SOCKET, error, sizeof(error));
    unlink(path);
    if (settings == NULL)
        fail_msg("%s", error);
    return settings;
}

static void reads_places_limits_and_classes(UNUSED void **state)
{
    struct settings *settings = read_text(config);

    assert_string_equal("unix:/run/x.http", settings->http);
    assert_string_equal("redis://127.0.0.1:1/2", settings->store);
    assert_string_equal("", settings->password_file);
    assert_string_equal("/q", settings->quarantine_directory);
    assert_string_equal("inet:127.0.0.1:1", settings->release);
    assert_string_equal("", settings->myhostname);
    assert_int_equal(2, limit_set_count(settings->limits));
    const struct limit *pair = limit_set_find(settings->limits, SLICE("pair"));
    assert_non_null(pair);
    assert_int_equal(2, limit_key_count(pair));
    assert_slice("gold", classes_find(settings->classes, NULL, SLICE("bob@shop.example"), 1));
    settings_free(&settings);
    assert_null(settings);
}

static void knows_what_is_declared(UNUSED void **state)
{
    struct settings *settings = read_text(config);
    struct live_names names = settings_names(settings);

    assert_true(names.is_declared(names.context, "limit", SLICE("pair")));
    assert_true(names.is_declared(names.context, "list", SLICE("block")));
    assert_false(names.is_declared(names.context, "list", SLICE("pair")));
    assert_slice("user-hourly", names.name_at(names.context, "limit", 0));
    assert_slice("broken", names.name_at(names.context, "limit", 2));
    assert_null(names.name_at(names.context, "limit", 3).ptr);
    settings_free(&settings);
}

static void does_without_a_file(UNUSED void **state)
{
    char error[200] = "";
    struct settings *settings =
        settings_read("/nonexistent/policyd.conf", false, GATECTL_SOCKET, error, sizeof(error));

    assert_non_null(settings);
    assert_string_equal(GATECTL_SOCKET, settings->http);
    assert_string_equal("memory", settings->store);
    assert_null(settings_names(settings).is_declared);
    settings_free(&settings);
    assert_null(
        settings_read("/nonexistent/policyd.conf", true, GATECTL_SOCKET, error, sizeof(error)));
    assert_string_equal("/nonexistent/policyd.conf: No such file or directory", error);
}

static void takes_an_empty_file(UNUSED void **state)
{
    struct settings *settings = read_text("");

    assert_int_equal(0, limit_set_count(settings->limits));
    settings_free(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_places_limits_and_classes),
        cmocka_unit_test(knows_what_is_declared),
        cmocka_unit_test(does_without_a_file),
        cmocka_unit_test(takes_an_empty_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
