/* tests/fakes/fake_names.c - see fake_names.h. The addresses are in the name itself, so threads share nothing. */
#include "tests/fakes/fake_names.h"

#include <dlfcn.h>
#include <netdb.h>

static const char mark[] = "fake+";

void fake_name_make(const char *addresses, char *name, size_t size)
{
    int len = snprintf(name, size, "%s%s", mark, addresses);

    if (len < 0 || (size_t)len >= size) {
        fprintf(stderr, "fake_names: %s\n", addresses);
        abort();
    }
}

typedef int look_up_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static look_up_fn *look_up_of_library(void)
{
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    look_up_fn *look_up;

    memcpy(&look_up, &symbol, sizeof look_up);
    return look_up;
}

/* One list of what each address becomes; freeaddrinfo() frees it entry by entry. */
static int look_up_fake(struct slice addresses, const struct addrinfo *hints, struct addrinfo **out)
{
    struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST, .ai_socktype = hints->ai_socktype };
    struct addrinfo *first = NULL, **end = &first;
    struct slice address;

    while (addresses.len > 0) {
        char text[64];
        if (!slice_cut(&addresses, ' ', &address)) {
            address = addresses;
            addresses.len = 0;
        }
        snprintf(text, sizeof text, "%.*s", SLICE_ARG(address));
        int error = look_up_of_library()(text, NULL, &numeric, end);
        if (error != 0) {
            freeaddrinfo(first);
            return error;
        }
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    *out = first;
    return first == NULL ? EAI_NONAME : 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    if (name == NULL || strncmp(name, mark, strlen(mark)) != 0)
        return look_up_of_library()(name, service, hints, out);
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    return look_up_fake(slice_of(name + strlen(mark)), hints, out);
}
