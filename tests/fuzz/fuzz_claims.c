/* tests/fuzz/fuzz_claims.c - any bytes as a header section: its DKIM-Signature fields are read, and judged with a key at hand.
 * Nothing that is not signed by that key passes. */
#include "signd/verify.h"
#include "tests/fakes/raw_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORD                                                                                     \
    "v=DKIM1; k=ed25519; p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=" /* nobody has this key */
enum { CLAIMS_MOST = 20, ARENA_MOST = 8 << 20, NOW = 1800000000 };

static void check_claim(const struct dkim_claim *claim)
{
    char name[CLAIM_NAME_MAX + 1];

    if (claim->is_ready != (claim->comment == NULL) ||
        (!claim->is_ready && claim->result == DKIM_NONE))
        abort(); /* one that is not ready has its result and its reason */
    if (!claim->is_ready)
        return;
    if (claim->domain.len == 0 || claim->selector.len == 0)
        abort();
    claim_key_name(claim, name);
    if (strlen(name) != claim->selector.len + strlen("._domainkey.") + claim->domain.len)
        abort();
}

static void judge(const struct message *message, struct dkim_claim *claims, size_t count)
{
    static struct verifier *verifier; /* lives as long as the fuzzer */

    if (verifier == NULL)
        verifier = verifier_new();
    for (size_t i = 0; i < count; i++) {
        check_claim(&claims[i]);
        claims[i].key_state = CLAIM_KEY_FOUND;
        claims[i].key = SLICE(RECORD);
    }
    (void)verify_claims(verifier, message, claims, count);
    for (size_t i = 0; i < count; i++)
        if (claims[i].result == DKIM_PASS || claims[i].result == DKIM_NONE)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message *message = raw_message((struct slice){ (const char *)data, size });
    struct arena *arena = arena_new(ARENA_MOST);
    struct dkim_claim *claims;
    size_t count, over;

    if (message != NULL && arena != NULL &&
        claims_read(message, CLAIMS_MOST, NOW, arena, &claims, &count, &over) == 0)
        judge(message, claims, count);
    arena_free(&arena);
    message_unref(&message);
    return 0;
}
