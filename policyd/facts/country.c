/* policyd/facts/country.c - the facts country, continent and asn, from the database in geoip.h. */
#include "policyd/facts/country.h"

static void lookup_once(struct fact_request *request)
{
    struct ip_address address;

    if (request->geo_state != GEO_UNASKED)
        return;
    request->geo_state = GEO_UNKNOWN;
    if (request->policy->parts.geoip != NULL &&
        ip_address_parse(request->req->attr[ATTR_CLIENT_ADDRESS], &address) &&
        geoip_lookup(request->policy->parts.geoip, &address, &request->geo))
        request->geo_state = GEO_KNOWN;
}

enum fetch_result country_fact(struct fact_request *request, int id, struct value *out)
{
    lookup_once(request);
    if (request->geo_state != GEO_KNOWN)
        return FETCH_UNKNOWN;
    if (id == FACT_ASN) {
        *out = (struct value){ .type = VALUE_NUMBER,
                               .is_empty = !request->geo.has_asn,
                               .number = request->geo.asn };
        return FETCH_KNOWN;
    }
    const char *word = id == FACT_COUNTRY ? request->geo.country : request->geo.continent;
    *out = (struct value){ .type = VALUE_WORD, .text = slice_of(word) };
    return FETCH_KNOWN;
}
