/* common/net/resolver.c - see resolver.h.
 *
 * A question is a `struct lookup` owned by two: the thread that asks and the resolver that waits; the one that lets go
 * last frees it. The thread writes the answer, then one byte into the pipe-like eventfd on which the loop waits. */
#include "common/net/resolver.h"

#include <assert.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_SIZE = 256, KNOWN_MOST = 16 };

struct lookup {
    atomic_int owners;
    int wake_fd;
    char name[NAME_SIZE];
    atomic_bool is_answered; /* the thread is done with `answer` */
    struct resolver_answer answer; /* the thread's until then */
};

struct known {
    char name[NAME_SIZE];
    struct resolver_answer answer;
};

struct resolver {
    struct event_base *base;
    struct event *timer; /* owned; time-out, or an answer that was there at once */
    struct event *woken; /* owned while a thread is asked */
    struct lookup *lookup; /* shared with the thread; NULL: none */
    char name[NAME_SIZE];
    resolver_fn *fn; /* NULL: no question */
    void *arg;
    struct known known[KNOWN_MOST];
    size_t known_count, known_next;
};

static void lookup_release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) > 1)
        return;
    close(lookup->wake_fd);
    free(lookup);
}

static void answer_from(const struct addrinfo *list, struct resolver_answer *answer)
{
    for (; list != NULL && answer->count < RESOLVER_ADDRESSES_MOST; list = list->ai_next) {
        if (getnameinfo(list->ai_addr, list->ai_addrlen, answer->addresses[answer->count],
                        RESOLVER_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) == 0)
            answer->count++;
    }
}

static void look_up(const char *name, int flags, struct resolver_answer *answer)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
    struct addrinfo *list = NULL;

    answer->count = 0;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return;
    answer_from(list, answer);
    freeaddrinfo(list);
}

static void *lookup_run(void *arg)
{
    struct lookup *lookup = arg;
    const uint64_t one = 1;

    look_up(lookup->name, AI_ADDRCONFIG, &lookup->answer);
    atomic_store(&lookup->is_answered, true);
    ssize_t written = write(lookup->wake_fd, &one, sizeof(one));
    assert(written == (ssize_t)sizeof(one)); /* one write does not fill the counter */
    (void)written;
    lookup_release(lookup);
    return NULL;
}

static bool thread_start(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    bool started = pthread_create(&thread, &attributes, lookup_run, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

static struct known *known_find(struct resolver *resolver, const char *name)
{
    for (size_t i = 0; i < resolver->known_count; i++) {
        if (strcmp(resolver->known[i].name, name) == 0)
            return &resolver->known[i];
    }
    return NULL;
}

static void known_keep(struct resolver *resolver, const char *name,
                       const struct resolver_answer *answer)
{
    struct known *known = known_find(resolver, name);

    if (known == NULL) {
        known = &resolver->known[resolver->known_next];
        resolver->known_next = (resolver->known_next + 1) % KNOWN_MOST;
        if (resolver->known_count < KNOWN_MOST)
            resolver->known_count++;
        snprintf(known->name, sizeof(known->name), "%s", name);
    }
    known->answer = *answer;
}

/* The thread, if one is asked, goes on alone. */
static void forget_lookup(struct resolver *resolver)
{
    if (resolver->woken != NULL)
        event_free(resolver->woken);
    resolver->woken = NULL;
    if (resolver->lookup != NULL)
        lookup_release(resolver->lookup);
    resolver->lookup = NULL;
}

static void finish(struct resolver *resolver)
{
    static const struct resolver_answer unknown = { .count = 0 };
    const struct known *known = known_find(resolver, resolver->name);
    resolver_fn *fn = resolver->fn;

    resolver_stop(resolver);
    fn(resolver->arg, known == NULL ? &unknown : &known->answer);
}

static void on_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    finish(arg);
}

static void on_woken(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct resolver *resolver = arg;

    if (atomic_load(&resolver->lookup->is_answered) && resolver->lookup->answer.count > 0)
        known_keep(resolver, resolver->name, &resolver->lookup->answer);
    finish(resolver);
}

struct resolver *resolver_new(struct event_base *base)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL)
        return NULL;
    resolver->base = base;
    resolver->timer = evtimer_new(base, on_timer, resolver);
    if (resolver->timer == NULL)
        resolver_free(&resolver);
    return resolver;
}

void resolver_free(struct resolver **resolver)
{
    if (*resolver == NULL)
        return;
    if ((*resolver)->timer != NULL) {
        resolver_stop(*resolver);
        event_free((*resolver)->timer);
    }
    free(*resolver);
    *resolver = NULL;
}

void resolver_stop(struct resolver *resolver)
{
    evtimer_del(resolver->timer);
    forget_lookup(resolver);
    resolver->fn = NULL;
}

/* False: no thread could be asked. */
static bool lookup_start(struct resolver *resolver)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL)
        return false;
    lookup->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lookup->wake_fd < 0) {
        free(lookup);
        return false;
    }
    atomic_init(&lookup->owners, 1);
    snprintf(lookup->name, sizeof(lookup->name), "%s", resolver->name);
    resolver->lookup = lookup;
    resolver->woken = event_new(resolver->base, lookup->wake_fd, EV_READ, on_woken, resolver);
    if (resolver->woken == NULL || event_add(resolver->woken, NULL) != 0) {
        forget_lookup(resolver);
        return false;
    }
    atomic_store(&lookup->owners, 2);
    if (thread_start(lookup))
        return true;
    atomic_store(&lookup->owners, 1);
    forget_lookup(resolver);
    return false;
}

void resolver_ask(struct resolver *resolver, const char *name, unsigned timeout_ms, resolver_fn *fn,
                  void *arg)
{
    struct timeval timeout = { timeout_ms / 1000, (timeout_ms % 1000) * 1000 };
    struct resolver_answer numeric;

    resolver_stop(resolver);
    resolver->fn = fn;
    resolver->arg = arg;
    snprintf(resolver->name, sizeof(resolver->name), "%s", name);
    look_up(name, AI_NUMERICHOST, &numeric); /* no file, no network */
    if (numeric.count > 0)
        known_keep(resolver, name, &numeric);
    if (numeric.count > 0 || !lookup_start(resolver))
        timeout = (struct timeval){ 0, 0 };
    evtimer_add(resolver->timer, &timeout);
}
