/* tests/fakes/key_records.c - see key_records.h. */
#include "tests/fakes/key_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/dkim/record.h"
#include "common/run/worker.h"

static void answer(void *arg, const struct dns_query *query, struct dns_reply *reply)
{
    const struct key_resolver *resolver = arg;
    const struct key_records *records = resolver->records;
    struct dns_message *message = &reply->message;

    if (query->name[0] == '\0')
        return; /* a probe: is anybody there? */
    unsigned shows = records->shown == NULL
                         ? resolver->shows
                         : records->shown((size_t)(resolver - records->resolvers), query->name);
    if ((shows & KEY_RECORD_TEXT) != 0)
        dns_message_add_txt(message, query->name, 300, SLICE("v=spf1 -all"));
    if ((shows & KEY_RECORD_OWN) != 0)
        dns_message_add_txt(message, query->name, 300, slice_of(records->own));
    if ((shows & KEY_RECORD_OTHER) != 0)
        dns_message_add_txt(message, query->name, 300, SLICE("v=DKIM1; k=ed25519; p=AAAA"));
    if ((shows & KEY_RECORD_BROKEN) != 0)
        dns_message_set_u16(message, 2, 0x8180u | RCODE_SERVFAIL);
    if (shows == 0) {
        dns_message_set_u16(message, 2, 0x8180u | RCODE_NXDOMAIN);
        dns_message_add_soa(message, "example.com", 300, 60);
    }
}

void key_records_open(struct key_records *records)
{
    *records = (struct key_records){ 0 };
    fake_clock_init(&records->clock);
    records->worker = worker_new(0, "main", &records->clock.clock, NULL);
    for (size_t i = 0; i < KEY_RESOLVERS; i++) {
        struct key_resolver *resolver = &records->resolvers[i];
        resolver->records = records;
        resolver->shows = KEY_RECORD_OWN;
        dns_server_init(&resolver->server, worker_base(records->worker), answer, resolver);
        dns_server_start(&resolver->server);
        records->texts[i] = slice_of(resolver->server.text);
    }
}

void key_records_of(struct key_records *records, const struct dkim_key *key)
{
    AUTO_BUF text = BUF_INIT(KEY_RECORD_MAX - 1);

    if (dkim_record_print(key, &text) != 0) {
        fprintf(stderr, "key_records: no record of that key\n");
        abort();
    }
    snprintf(records->own, sizeof records->own, "%s", buf_text(&text));
}

void key_records_close(struct key_records *records)
{
    for (size_t i = 0; i < KEY_RESOLVERS; i++)
        dns_server_stop(&records->resolvers[i].server);
    worker_free(&records->worker);
}

struct conf_list key_records_resolvers(const struct key_records *records)
{
    return (struct conf_list){ records->texts, KEY_RESOLVERS };
}

size_t key_records_queries(const struct key_records *records)
{
    size_t queries = 0;

    for (size_t i = 0; i < KEY_RESOLVERS; i++)
        queries += records->resolvers[i].server.queries;
    return queries;
}
