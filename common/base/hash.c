/* common/base/hash.c - see hash.h. SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") is written
 * here because OpenSSL offers only the 2-4 variant, behind an EVP context that costs more than the hash itself on
 * keys of 20 bytes. Checked against the reference implementation's vectors in tests/unit/base/test_hash.c. */
#include "common/base/hash.h"

#include "common/base/hash_sip.h"

#include <assert.h>
#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <sys/random.h>

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t load_le(const char *bytes, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    return word;
}

uint64_t hash_sip13(struct slice bytes, const uint64_t key[2])
{
    uint64_t v[4] = { key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                      key[0] ^ UINT64_C(0x6c7967656e657261),
                      key[1] ^ UINT64_C(0x7465646279746573) };
    size_t whole = bytes.len / 8 * 8;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.ptr + i, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)bytes.len << 56;
    if (bytes.len > whole)
        last |= load_le(bytes.ptr + whole, bytes.len - whole);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t process_key[2];
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void process_key_draw(void)
{
    random_bytes(process_key, sizeof process_key);
}

uint64_t hash_keyed(struct slice bytes)
{
    pthread_once(&process_key_once, process_key_draw);
    return hash_sip13(bytes, process_key);
}

void hash_hex128(struct slice bytes, char out[HASH_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)(bytes.len == 0 ? "" : bytes.ptr), bytes.len, sum);
    for (size_t i = 0; i < HASH_HEX_LEN / 2; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[HASH_HEX_LEN] = '\0';
}

void random_bytes(void *out, size_t len)
{
    char *at = out;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            abort();
        }
        at += got;
        len -= (size_t)got;
    }
}

void random_reference(char out[REFERENCE_LEN + 1])
{
    static const char letters[] =
        "23456789abcdefghjkmnpqrstuvwxyz_"; /* 32 with the filler, which is skipped */
    static _Thread_local unsigned char pool[256];
    static _Thread_local size_t left;

    for (size_t i = 0; i < REFERENCE_LEN;) {
        if (left == 0) {
            random_bytes(pool, sizeof pool);
            left = sizeof pool;
        }
        char c = letters[pool[--left] & 31];
        if (c != '_')
            out[i++] = c;
    }
    out[REFERENCE_LEN] = '\0';
}

void reference_make(char out[REFERENCE_SIZE], bool is_explained)
{
    static_assert(REFERENCE_LEN < REFERENCE_SIZE, "a reference has room");

    if (is_explained)
        memcpy(out, REFERENCE_EXPLAINED, REFERENCE_SIZE);
    else
        random_reference(out);
}
