/* tests/unit/signd/test_key_states.c - in what state a key is: what the store says, what it said before, what was written down, a
 * key that nobody has spoken of; files that are whole, broken, or cannot be written. */
#include "signd/key_states.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fakes/key_directory.h"
#include "tests/unit/unit.h"

enum { PATH_BYTES = 4096 };

static struct key_directory keys;
static char folder[] = "/tmp/key-states-XXXXXX";
static char path[PATH_BYTES];

static struct shared *files; /* as read last */

static int setup(UNUSED void **state)
{
    snprintf(folder, sizeof folder, "/tmp/key-states-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/states", folder);
    key_directory_make(&keys);
    key_directory_domain(&keys, "a.example");
    key_directory_put_key(&keys, "a.example/one.key", DKIM_ED25519, 0);
    key_directory_put_key(&keys, "a.example/two.key", DKIM_ED25519, 0);
    return 0;
}

static int teardown(UNUSED void **state)
{
    chmod(folder, 0700);
    unlink(path);
    rmdir(folder);
    shared_unref(&files);
    key_directory_remove(&keys);
    return 0;
}

/* "one pending since=5|two active"; NULL: the store has not spoken. */
static struct shared *say(const char *text)
{
    struct slice rest = slice_of(text == NULL ? "" : text), part, selector;
    struct key_lives_builder *builder = key_lives_builder_new(8);
    char field[80];

    while (slice_next(&rest, '|', &part))
        if (slice_cut(&part, ' ', &selector)) {
            snprintf(field, sizeof field, "a.example/%.*s", SLICE_ARG(selector));
            assert_null(key_lives_add(builder, slice_of(field), part));
        }
    struct shared *said = shared_new(key_lives_finish(&builder), key_lives_free);
    if (text == NULL)
        shared_unref(&said);
    return said;
}

/* What is known of a key, as a word; "-": nothing. */
static const char *known(struct key_states *states, const char *selector)
{
    struct shared *taken = key_states_take(states);
    const struct dkim_life *life =
        key_lives_find(shared_get(taken), SLICE("a.example"), slice_of(selector));
    const char *word = life == NULL ? "-" : dkim_state_words[life->state];

    shared_unref(&taken);
    return word;
}

/* One look: the files as they are, what the store says; `number` of its reads, of which so many have begun. */
static bool look(struct key_states *states, const char *said, uint64_t number, uint64_t reads)
{
    struct shared *words = say(said);

    key_directory_read(&keys, &files);
    const struct key_states_input input = { files, words, said == NULL ? 0 : number, reads };
    bool asks = key_states_look(states, &input);
    shared_unref(&words);
    return asks;
}

static void write_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void check_file(const char *want)
{
    char text[400];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);

    close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(want, text);
}

static const struct {
    const char *what, *file, *said;
    uint64_t number; /* of the read that `said` is of; one had begun when the files were seen */
    const char *one, *two; /* afterwards */
    bool asks, is_lost;
} cases[] = {
    { "nobody has spoken", NULL, NULL, 0, "-", "-", true, false },
    { "what was written down", "a.example/one pending since=5\n", NULL, 0, "pending", "-", true,
      false },
    { "all is known, yet not by the store",
      "a.example/one seen since=5\na.example/two active since=0\n", NULL, 0, "seen", "active", true,
      false },
    { "asked before they came", NULL, "", 1, "-", "-", true, false },
    { "asked, and nothing is said", NULL, "", 2, "active", "active", false, false },
    { "one waits", NULL, "one pending since=1", 2, "pending", "active", false, false },
    { "the store is newer", "a.example/one pending since=5\n", "one active since=9", 2, "active",
      "active", false, false },
    { "the store is empty", "a.example/one pending since=5\na.example/two active since=0\n", "", 2,
      "pending", "active", false, true },
    { "retired stays so", "a.example/one retired since=5\na.example/two active since=0\n", "", 2,
      "retired", "active", false, true },
    { "known before it is asked", "a.example/one active since=5\na.example/two seen since=5\n", "",
      1, "active", "seen", false, true },
};

static void the_store_counts_then_what_it_said(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].file != NULL)
            write_file(cases[i].file);
        struct key_states *states = key_states_new(path);
        assert_non_null(states);
        bool asks = look(states, cases[i].said, cases[i].number, 1);
        if (strcmp(cases[i].one, known(states, "one")) != 0 ||
            strcmp(cases[i].two, known(states, "two")) != 0 || asks != cases[i].asks ||
            key_states_are_lost(states) != cases[i].is_lost)
            fail_msg("%s: %s, %s", cases[i].what, known(states, "one"), known(states, "two"));
        key_states_free(&states);
        unlink(path);
    }
}

static void what_is_known_survives(UNUSED void **state)
{
    struct key_states *states = key_states_new(path);

    assert_false(look(states, "one seen since=3", 2, 1));
    check_file("a.example/one seen since=3\na.example/two active since=0\n");
    key_states_free(&states);
    states = key_states_new(path);
    assert_string_equal("seen", known(states, "one"));
    /* A key whose file is gone, and of which nothing is said, is forgotten; one that the store names is not. */
    assert_int_equal(0, unlink(key_directory_path(&keys, "a.example/two.key")));
    look(states, "gone active since=1", 2, 1);
    check_file("a.example/gone active since=1\na.example/one seen since=3\n");
    key_states_free(&states);
}

/* What was made after the store was asked may have been said to wait. */
static void a_new_key_waits_for_a_new_answer(UNUSED void **state)
{
    struct key_states *states = key_states_new(path);

    look(states, "", 2, 1);
    key_directory_put_key(&keys, "a.example/three.key", DKIM_ED25519, 0);
    assert_true(look(states, "", 4, 4));
    assert_string_equal("-", known(states, "three"));
    assert_string_equal("active", known(states, "one"));
    assert_false(look(states, "three pending since=1", 5, 4));
    assert_string_equal("pending", known(states, "three"));
    key_states_free(&states);
}

/* Nobody can say that files have gone. */
static void a_directory_that_cannot_be_read_forgets_nothing(UNUSED void **state)
{
    const struct key_rules rules = { geteuid(), getegid() };

    write_file("a.example/one pending since=5\n");
    struct key_states *states = key_states_new(path);
    struct shared *none = key_set_read("/nowhere", &rules, 0, NULL), *said = say("");
    const struct key_states_input input = { none, said, 2, 1 };
    key_states_look(states, &input);
    assert_string_equal("pending", known(states, "one"));
    check_file("a.example/one pending since=5\n");
    shared_unref(&none);
    shared_unref(&said);
    key_states_free(&states);
}

static void a_file_that_cannot_be_understood_is_no_file(UNUSED void **state)
{
    static const char *const texts[] = { "garbage\n", "a.example/one asleep\n", "one active\n",
                                         "a.example/one active since=5", "\n" };

    for (size_t i = 0; i < COUNT(texts); i++) {
        write_file(texts[i]);
        if (key_states_new(path) != NULL)
            fail_msg("%s", texts[i]);
    }
    unlink(path);
    assert_int_equal(0, mkdir(path, 0700));
    assert_null(key_states_new(path));
    rmdir(path);
}

static void one_that_cannot_be_written_is_told_and_tried_again(UNUSED void **state)
{
    char away[PATH_BYTES];
    struct key_states *states = key_states_new(path);

    snprintf(away, sizeof away, "%s-away", folder);
    assert_int_equal(0, rename(folder, away));
    look(states, "one pending since=1", 2, 1);
    assert_string_equal("pending", known(states, "one"));
    assert_non_null(strstr(key_states_error(states), "No such file or directory"));
    assert_int_equal(0, rename(away, folder));
    look(states, "one pending since=1", 2, 1);
    assert_null(key_states_error(states));
    check_file("a.example/one pending since=1\na.example/two active since=0\n");
    key_states_free(&states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_store_counts_then_what_it_said, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_known_survives, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_key_waits_for_a_new_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_read_forgets_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_understood_is_no_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_written_is_told_and_tried_again, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
