/* contentd/facts/facts.c - see facts.h. */
#include "contentd/facts/facts.h"

#include "contentd/finding.h"

#define ONE_RECIPIENT (STAGE_RCPT | STAGES_DATA | STAGES_END)
#define EVERYWHERE MESSAGE_EVERYWHERE

/* clang-format off */
const struct fact_type contentd_facts[] = {
    MESSAGE_FACT_ROWS,

    { "connections", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CONNECTIONS,
      "Connections of the client's address at the moment, this one too, on all hosts with the same store." },
    { "connections.net", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CONNECTIONS_NET,
      "The same for the client's network, client_net." },
    { "connections.all", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CONNECTIONS_ALL,
      "The same for all clients together." },
    { "connections.*", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CONNECTIONS_LIST,
      "The same for all clients whose address is in the list of this name together, whether this client is one of them or "
      "not. Unknown when no rule named the list yet as the client connected. (Lists named net and all have no such fact.)" },
    { "score", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_SCORE,
      "At end-of-message the score of the recipient's chain; and what rules with the action score have added so far." },
    { "recipient", VALUE_MAILBOX, ONE_RECIPIENT, NULL, NULL, false, FACT_RECIPIENT,
      "The recipient that is being decided: rules that name it run once for each. Without a domain: as Postfix completes it." },
    { "recipient_domain", VALUE_DOMAIN, ONE_RECIPIENT, NULL, NULL, false, FACT_RECIPIENT_DOMAIN,
      "The domain of recipient." },
    { "chain", VALUE_WORD, ONE_RECIPIENT, NULL, NULL, false, FACT_CHAIN, "The name of the recipient's chain." },

    { "*.result", VALUE_WORD, STAGES_END, finding_words, NULL, false, FACT_SCANNER_RESULT,
      "What a scanner found: none (it was not asked), clean, virus, spam, reject, tempfail, discard, oversize, trouble (no "
      "answer to rely on), cancelled." },
    { "*.score", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_SCANNER_SCORE,
      "The score that a scanner gave; empty without one." },
    { "*.virus", VALUE_TEXT, STAGES_END, NULL, NULL, false, FACT_SCANNER_VIRUS,
      "The malware that a scanner found; empty without any." },
    { "*.symbols", VALUE_TEXT, STAGES_END, NULL, NULL, false, FACT_SCANNER_SYMBOLS,
      "The tests of rspamd or spamd that hit, each with its score: BAYES_99(3.5)." },
};
/* clang-format on */

const size_t contentd_fact_count = COUNT(contentd_facts);

bool fact_wants_connections(int id)
{
    return id >= FACT_CONNECTIONS && id <= FACT_CONNECTIONS_LIST;
}

bool fact_is_of_scanner(int id)
{
    return id >= FACT_SCANNER_RESULT && id <= FACT_SCANNER_SYMBOLS;
}

bool fact_is_of_recipient(int id)
{
    return id == FACT_RECIPIENT || id == FACT_RECIPIENT_DOMAIN;
}

bool fact_name_is_taken(struct slice scanner)
{
    for (size_t i = 0; i < contentd_fact_count; i++) {
        struct slice rest = slice_of(contentd_facts[i].name), first;
        if (slice_cut(&rest, '.', &first) && slice_equal(first, scanner))
            return true;
    }
    return false;
}
