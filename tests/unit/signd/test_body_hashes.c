/* tests/unit/signd/test_body_hashes.c - hashes of bodies in both canonicalizations, of the empty body too (RFC 6376 3.4.3, 3.4.4), and
 * which claims can be judged by them. */
#include "signd/body_hashes.h"

#include "tests/fakes/raw_message.h"
#include "tests/unit/unit.h"

#define CLAIM(tags)                                                                                \
    "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from; b=AAAA; " tags "\r\n"
#define HEAD "From: a@a.example\r\n\r\n"
#define RFC8463_BODY "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
#define RFC8463_HASH "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
#define EMPTY_SIMPLE "bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
#define EMPTY_RELAXED "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static const struct {
    const char *what, *text;
    bool suffices, fits[2]; /* of the first two claims */
} cases[] = {
    { "the example of RFC 8463",
      CLAIM("c=relaxed/relaxed; " RFC8463_HASH) HEAD RFC8463_BODY,
      true,
      { true, true } },
    { "a body of another",
      CLAIM("c=relaxed/relaxed; " RFC8463_HASH) HEAD "x\r\n",
      true,
      { false } },
    { "blanks count under simple alone",
      CLAIM("c=relaxed/relaxed; " EMPTY_RELAXED) CLAIM("c=simple/simple; " EMPTY_SIMPLE) HEAD
      " \r\n",
      true,
      { true, false } },
    { "the empty body",
      CLAIM("c=simple/relaxed; " EMPTY_RELAXED) CLAIM("c=relaxed; " EMPTY_SIMPLE) HEAD,
      true,
      { true, true } },
    { "without c= it is simple",
      CLAIM(EMPTY_SIMPLE) CLAIM(EMPTY_RELAXED) HEAD,
      true,
      { true, false } },
    { "folded",
      CLAIM("c=relaxed/relaxed; bh=2jUSOH9NhtVGCQWNr9\r\n\tBrIAPreKQjO6Sn7XIkfJVOzv8=")
          HEAD RFC8463_BODY,
      true,
      { true, true } },
    { "a part of the body",
      CLAIM("c=relaxed/relaxed; l=5; " RFC8463_HASH) HEAD RFC8463_BODY,
      false,
      { false } },
    { "another canonicalization",
      CLAIM("c=relaxed/odd; " RFC8463_HASH) HEAD RFC8463_BODY,
      false,
      { false } },
    { "no hash", CLAIM("bh=AAAA") HEAD, false, { false } },
    { "no base64", CLAIM("bh=%%%%") HEAD, false, { false } },
};

static void a_hash_fits_or_does_not(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message *message = raw_message(slice_of(cases[i].text));
        struct arena *arena = arena_new(1 << 16);
        struct dkim_claim *claims, *both[2];
        struct body_hashes hashes;
        size_t count, over;

        assert_int_equal(0, claims_read(message, 2, 1, arena, &claims, &count, &over));
        assert_true(count == 1 || count == 2);
        both[0] = &claims[0];
        both[1] = &claims[count - 1];
        if (body_hashes_suffice(both, count, &hashes) != cases[i].suffices)
            fail_msg("%s: it %ssuffices", cases[i].what, cases[i].suffices ? "no more " : "");
        assert_true(!cases[i].suffices || body_hashes_make(message, &hashes) == 0);
        for (size_t n = 0; cases[i].suffices && n < 2; n++)
            if (body_hashes_fit(&hashes, both[n]) != cases[i].fits[n])
                fail_msg("%s: claim %zu", cases[i].what, n);
        arena_free(&arena);
        message_unref(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_hash_fits_or_does_not) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
