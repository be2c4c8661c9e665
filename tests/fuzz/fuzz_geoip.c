/* tests/fuzz/fuzz_geoip.c - a country database file with any content: refused, or safe to ask. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policyd/facts/geoip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libmaxminddb 1.7 forgets 4 KiB when it gives up on a file's metadata. That is once per damaged file. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb";
}

static void ask(struct geoip *geoip)
{
    static const char *const addresses[] = { "192.0.2.1",   "198.51.100.1", "203.0.113.255",
                                             "2001:db8::1", "255.1.2.3",    "8000::1" };
    struct geoip_record record;
    struct ip_address address;
    char type[GEOIP_TYPE_MAX];
    uint64_t build_s;

    geoip_describe(geoip, type, &build_s);
    for (size_t i = 0; i < COUNT(addresses); i++) {
        if (!ip_address_parse(slice_of(addresses[i]), &address))
            abort();
        if (geoip_lookup(geoip, &address, &record) &&
            (strlen(record.country) < 2 || strlen(record.continent) < 2))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[32];
    char error[GEOIP_ERROR_MAX];

    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    struct geoip *geoip = geoip_new(path, error);
    if (geoip == NULL)
        return 0;
    ask(geoip);
    geoip_free(&geoip);
    return 0;
}
