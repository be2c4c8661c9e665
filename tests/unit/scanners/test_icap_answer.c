/* tests/unit/scanners/test_icap_answer.c - answers of ICAP servers. */
#include "tests/unit/unit.h"

#include "contentd/scanners/icap_answer.h"

static struct arena *arena;
static struct icap_answer answer;
static const char *error;

static int setup(UNUSED void **state)
{
    arena = arena_new(1 << 20);
    return arena == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

/* Gives `in` in pieces of `step` bytes; what is content goes to `body`. */
static enum wire_state feed(struct slice in, size_t step, struct buf *body)
{
    enum wire_state state = WIRE_MORE;
    size_t there = 0, at = 0;

    answer = (struct icap_answer){ 0 };
    error = "";
    while (state == WIRE_MORE && there < in.len) {
        size_t used = 1;
        there = there + step < in.len ? there + step : in.len;
        while (state == WIRE_MORE && used > 0) {
            struct slice part;
            state = icap_answer_read(&answer, arena, slice_part(in, at, there - at), &used, &part,
                                     &error);
            assert_int_equal(0, buf_add(body, part));
            at += used;
        }
    }
    return state;
}

#define HEAD "ICAP/1.0 200 OK\r\nISTag: \"CI0001-sig\"\r\n"
#define HTTP "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n"
#define HTTP_LENGTH "49"
#define BLOCKED "HTTP/1.0 403 Forbidden\r\nServer: C-ICAP\r\n\r\n"
#define ECHO                                                                                       \
    HEAD "Encapsulated: res-hdr=0, res-body=" HTTP_LENGTH "\r\n\r\n" HTTP                          \
         "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"

static const struct {
    const char *what;
    struct slice in;
    const char *body;
    bool is_same;
    enum finding_result result;
    const char *virus;
} answers[] = {
    { "204", SLICE_INIT("ICAP/1.0 204 No Content\r\nISTag: \"x\"\r\n\r\n"), "", false,
      FINDING_CLEAN, NULL },
    { "204 of c-icap",
      SLICE_INIT("ICAP/1.0 204 Unmodified\r\nServer: C-ICAP/0.5.10\r\nConnection: close\r\n"
                 "ISTag: \"CI0001-1GWSzW8hPdVrNZaXTsfUrgAA\"\r\nEncapsulated: null-body=0\r\n\r\n"),
      "", false, FINDING_CLEAN, NULL },
    { "100 before", SLICE_INIT("ICAP/1.0 100 Continue\r\n\r\nICAP/1.0 204 No\r\n\r\n"), "", false,
      FINDING_CLEAN, NULL },
    { "the same came back", SLICE_INIT(ECHO), "hello world", true, FINDING_CLEAN, NULL },
    { "something else came back", SLICE_INIT(ECHO), "hello world", false, FINDING_VIRUS,
      "unnamed" },
    { "a page that says no",
      SLICE_INIT(HEAD "Encapsulated: res-hdr=0, res-body=42\r\n\r\n" BLOCKED
                      "2\r\nno\r\n0\r\n\r\n"),
      "no", true, FINDING_VIRUS, "unnamed" },
    { "nothing came back",
      SLICE_INIT(HEAD "Encapsulated: res-hdr=0, null-body=" HTTP_LENGTH "\r\n\r\n" HTTP), "", true,
      FINDING_VIRUS, "unnamed" },
    { "infection",
      SLICE_INIT(HEAD "X-Infection-Found: Type=0; Resolution=2; "
                      "Threat=Eicar-Signature;\r\n\r\n"),
      "", true, FINDING_VIRUS, "Eicar-Signature" },
    { "infection with 204", SLICE_INIT("ICAP/1.0 204 No\r\nx-infection-found: threat=A\r\n\r\n"),
      "", true, FINDING_VIRUS, "A" },
    { "infection without name", SLICE_INIT(HEAD "X-Infection-Found: Type=0\r\n\r\n"), "", true,
      FINDING_VIRUS, "unnamed" },
    { "infection, empty", SLICE_INIT(HEAD "X-Infection-Found:\r\n\r\n"), "", true, FINDING_VIRUS,
      "unnamed" },
    { "id", SLICE_INIT(HEAD "X-Virus-ID: EICAR Test\t String\r\n\r\n"), "", true, FINDING_VIRUS,
      "EICAR Test  String" },
    { "violation", SLICE_INIT(HEAD "X-Violations-Found: 1\r\n\t-\r\n\tEICAR\r\n\t0\r\n\t2\r\n\r\n"),
      "", true, FINDING_VIRUS, "EICAR" },
    { "violation, in one line", SLICE_INIT(HEAD "X-Violations-Found: 1\r\n\r\n"), "", true,
      FINDING_VIRUS, "unnamed" },
    { "no violation", SLICE_INIT("ICAP/1.0 204 No\r\nX-Violations-Found: 0\r\n\r\n"), "", true,
      FINDING_CLEAN, NULL },
};

static void tells_clean_from_malware(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        for (size_t step = 1; step < 300; step = step * 3 + 1) {
            AUTO_BUF body = BUF_INIT(1000);
            struct finding finding = { .result = FINDING_NONE };
            enum wire_state state_got = feed(answers[i].in, step, &body);
            if (state_got != WIRE_DONE || !slice_equal(buf_slice(&body), slice_of(answers[i].body)))
                fail_msg("%s, by %zu: state %d, %s", answers[i].what, step, state_got, error);
            icap_answer_finding(&answer, answers[i].is_same, &finding);
            if (finding.result != answers[i].result ||
                !slice_equal(finding.virus, slice_of(answers[i].virus)))
                fail_msg("%s: result %d, %.*s", answers[i].what, finding.result,
                         SLICE_ARG(finding.virus));
        }
    }
}

static void no_part_of_an_answer_is_clean(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        for (size_t len = 0; len < answers[i].in.len; len++) {
            AUTO_BUF body = BUF_INIT(1000);
            if (feed(slice_part(answers[i].in, 0, len), 1000, &body) == WIRE_DONE)
                fail_msg("%s, cut after %zu bytes", answers[i].what, len);
        }
    }
}

static const struct {
    const char *what;
    struct slice in;
    const char *error;
} wrong[] = {
    { "HTTP", SLICE_INIT("HTTP/1.1 200 OK\r\n\r\n"), "does not answer with ICAP" },
    { "no service", SLICE_INIT("ICAP/1.0 404 ICAP Service not found\r\n\r\n"),
      "answers 404 ICAP Service not found" },
    { "no RESPMOD", SLICE_INIT("ICAP/1.0 405 No\x80\r\n\r\n"), "answers 405 No\x80" },
    { "overloaded", SLICE_INIT("ICAP/1.0 503 Overloaded\r\n\r\n"), "answers 503 Overloaded" },
    { "error that names malware", SLICE_INIT("ICAP/1.0 500 Error\r\nX-Virus-ID: a\r\n\r\n"),
      "answers 500 Error" },
    { "206", SLICE_INIT("ICAP/1.0 206 Partial\r\n\r\n"), "answers 206 Partial" },
    { "too many 100",
      SLICE_INIT("ICAP/1.0 100 a\r\n\r\nICAP/1.0 100 a\r\n\r\nICAP/1.0 100 a\r\n\r\n"
                 "ICAP/1.0 100 a\r\n\r\nICAP/1.0 100 a\r\n\r\nICAP/1.0 204 a\r\n\r\n"),
      "answers 100 a" },
    { "200 without content", SLICE_INIT(HEAD "\r\n"), "does not say what" },
    { "200 with nothing", SLICE_INIT(HEAD "Encapsulated: null-body=0\r\n\r\n"),
      "does not say what" },
    { "204 with content",
      SLICE_INIT("ICAP/1.0 204 No\r\nEncapsulated: res-hdr=0, res-body=49\r\n\r\n"),
      "does not say what" },
    { "two lists",
      SLICE_INIT(
          "ICAP/1.0 204 No\r\nEncapsulated: null-body=0\r\nEncapsulated: null-body=0\r\n\r\n"),
      "does not say what" },
    { "body without head", SLICE_INIT(HEAD "Encapsulated: res-body=0\r\n\r\n"),
      "does not say what" },
    { "body before head", SLICE_INIT(HEAD "Encapsulated: res-body=49, res-hdr=0\r\n\r\n"),
      "does not say what" },
    { "head without body", SLICE_INIT(HEAD "Encapsulated: res-hdr=0\r\n\r\n"),
      "does not say what" },
    { "request", SLICE_INIT(HEAD "Encapsulated: req-hdr=0, req-body=50\r\n\r\n"),
      "does not say what" },
    { "no number", SLICE_INIT(HEAD "Encapsulated: res-hdr=0, res-body=x\r\n\r\n"),
      "does not say what" },
    { "far away", SLICE_INIT(HEAD "Encapsulated: res-hdr=0, res-body=99999999\r\n\r\n"),
      "does not say what" },
    { "head shorter than said",
      SLICE_INIT(HEAD "Encapsulated: res-hdr=0, res-body=51\r\n\r\n" HTTP "0\r\n\r\n"),
      "encapsulates no HTTP" },
    { "head longer than said",
      SLICE_INIT(HEAD "Encapsulated: res-hdr=0, res-body=48\r\n\r\n" HTTP "0\r\n\r\n"),
      "encapsulates no HTTP" },
    { "no chunks",
      SLICE_INIT(HEAD "Encapsulated: res-hdr=0, res-body=" HTTP_LENGTH "\r\n\r\n" HTTP "hello\r\n"),
      "sends content in chunks that are none" },
};

static void refuses_what_is_wrong(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(wrong); i++) {
        AUTO_BUF body = BUF_INIT(1000);
        enum wire_state got = feed(wrong[i].in, 1000, &body);
        if (got != WIRE_BAD || !slice_starts_with(slice_of(error), slice_of(wrong[i].error)))
            fail_msg("%s: state %d, %s", wrong[i].what, got, error);
    }
}

static void tells_the_state_of_the_service(UNUSED void **state)
{
    AUTO_BUF body = BUF_INIT(1000);

    assert_int_equal(WIRE_DONE, feed(SLICE(ECHO), 1000, &body));
    assert_slice("\"CI0001-sig\"", answer.istag);
    assert_int_equal(WIRE_DONE, feed(SLICE("ICAP/1.0 204 No\r\n\r\n"), 1000, &body));
    assert_null(answer.istag.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_clean_from_malware, setup, teardown),
        cmocka_unit_test_setup_teardown(no_part_of_an_answer_is_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_state_of_the_service, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
