/* policyd/facts/country.h - the facts country, continent and asn, from the database in geoip.h. */
#ifndef GATEHOUSE_POLICYD_COUNTRY_H
#define GATEHOUSE_POLICYD_COUNTRY_H

#include "policyd/facts/request.h"

enum fetch_result country_fact(struct fact_request *request, int id, struct value *out);

#endif
