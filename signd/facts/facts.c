/* signd/facts/facts.c - see facts.h. */
#include "signd/facts/facts.h"

#include "signd/claims.h"
#include "signd/dmarc.h"

/* clang-format off */
const struct fact_type signd_facts[] = {
    MESSAGE_FACT_ROWS,

    { "dkim", VALUE_WORD, STAGES_END, dkim_result_words, NULL, false, FACT_DKIM,
      "The best result of the DKIM signatures (RFC 8601 2.7.1), none without any; empty for mail that is not verified." },
    { "dkim.domains", VALUE_DOMAIN, STAGES_END, NULL, NULL, false, FACT_DKIM_DOMAINS,
      "The domains (d=) of the signatures that pass." },
    { "dkim.aligned", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_DKIM_ALIGNED,
      "Whether a signature that passes is of a From domain, or of one with the same organizational domain." },
    { "dkim.testing", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_DKIM_TESTING,
      "Whether the key of a signature that passes is one for testing (t=y)." },
    { "dkim.length", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_DKIM_LENGTH,
      "Whether a signature that passes says how much of the body it signs (l=): the rest may be anybody's." },
    { "dkim.count", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_DKIM_COUNT,
      "How many DKIM signatures the message has; empty for mail that is not verified." },
    { "spf", VALUE_WORD, STAGES_END, message_spf_results, NULL, false, FACT_SPF,
      "The result of SPF that DMARC is judged with: policyd's, or that of trust_received_spf; empty without one." },
    { "spf.domain", VALUE_DOMAIN, STAGES_END, NULL, NULL, false, FACT_SPF_DOMAIN, "The domain that spf is about." },
    { "dmarc", VALUE_WORD, STAGES_END, dmarc_result_words, NULL, false, FACT_DMARC,
      "The result of DMARC (RFC 7489) for the From domain, none when that has no policy; of several From domains that whose "
      "owner asks for most. Not fail but temperror where a lookup failed, or SPF is not known, that could have made it pass. "
      "permerror also where nobody can say what the From domain is. Empty for mail that is not verified." },
    { "dmarc.policy", VALUE_WORD, STAGES_END, dmarc_policy_words, NULL, false, FACT_DMARC_POLICY,
      "What the owner of the From domain asks for with this message: none unless dmarc is fail; p=, sp= and pct= have had their "
      "say." },
    { "dmarc.spf_aligned", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_DMARC_SPF_ALIGNED,
      "Whether SPF passed with a domain aligned as the DMARC record asks for." },
    { "dmarc.dkim_aligned", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_DMARC_DKIM_ALIGNED,
      "Whether a signature passed with a domain aligned as the DMARC record asks for." },
    { "signed", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_SIGNED, "Whether we sign the message." },
};
/* clang-format on */

const size_t signd_fact_count = COUNT(signd_facts);
