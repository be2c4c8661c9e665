/* signd/letter_end.c - the end of a letter, on a thread of the milter's: what verifying finds, which keys sign, and the edits. See
 * letter_impl.h. */
#include "signd/letter_impl.h"

#include "common/mail/address.h"
#include "common/observe/log.h"
#include "signd/seal.h"

enum {
    FORGED_MAX = 1000, /* more of them, and the message is refused */
    REPLY_TEXT_MAX = 300,
};

struct slice letter_authserv_id(const struct letter *letter)
{
    struct slice configured = letter->setup->parts.config->authserv_id;
    struct slice myhostname = letter->message->client.myhostname;

    if (configured.len > 0)
        return configured;
    return myhostname.len > 0 ? myhostname : slice_of(letter->server->signd->hostname);
}

/* ---- verifying ---- */

/* What policyd found; where it has written nothing, what it wrote into the message, if that may be trusted. */
static void find_spf(struct letter *letter)
{
    const struct message *message = letter->message;
    const struct transaction *record = letter->record.transaction;
    struct spf_finding *spf = &letter->results.spf;

    *spf = (struct spf_finding){ .is_known = letter->record.is_known };
    if (record != NULL && record->spf.result.len > 0) {
        spf->result = record->spf.result;
        spf->domain = record->spf.domain;
    } else if (letter->setup->parts.config->trust_received_spf && message->header_count > 0 &&
               slice_equal_nocase(message->headers[0].name, SLICE("Received-SPF"))) {
        results_spf_of_field(message->headers[0].value, letter_authserv_id(letter), letter->arena,
                             spf);
    }
}

/* Whose SPF it would be: of the sender, or of HELO. */
static bool find_sender_domain(struct letter *letter)
{
    const struct message *message = letter->message;

    if (message->sender.len > 0) {
        letter->results.sender_domain = address_domain(message->sender_normal);
        return true;
    }
    return address_normalise_domain(message->client.helo, letter->arena,
                                    &letter->results.sender_domain) != ADDRESS_NO_MEMORY;
}

bool letter_verify(struct letter *letter)
{
    struct results *results = &letter->results;
    unsigned random;

    /* What it has no memory for is a temperror. */
    verify_claims(letter->server->signd->verifier, letter->message, results->claims,
                  results->claim_count);
    find_spf(letter);
    random_bytes(&random, sizeof random);
    results->draw = letter->is_explained ? 0 : random % 100;
    letter->is_verified = true;
    return find_sender_domain(letter) && results_judge(results, letter->arena);
}

/* ---- keys ---- */

static bool are_there_keys(const struct key_set *files)
{
    return key_set_count(files) > 0 || key_set_error(files)[0] != '\0';
}

static void note_looked(void *arg, struct slice domain, const char *why)
{
    struct letter_trail *trail = arg;

    if (trail->count == LOOKED_MAX)
        return;
    trail->looked[trail->count].domain = domain;
    trail->looked[trail->count++].why = why;
}

void letter_choose_keys(struct letter *letter)
{
    const struct signd_config *config = letter->setup->parts.config;
    const struct clock *clock = worker_clock(letter->worker);
    const struct key_set *files = shared_get(letter->keys);
    const char *bad_from = mime_author_problem(&letter->mime);
    struct key_ring ring = setup_ring(letter->setup, files, shared_get(letter->states));
    static const enum signing of_choice[] = { [KEYS_NONE] = SIGNING_NO_KEYS,
                                              [KEYS_FOUND] = SIGNING_DONE,
                                              [KEYS_UNUSABLE] = SIGNING_KEYS_UNUSABLE };

    if (letter->is_explained) {
        ring.looked = note_looked;
        ring.arg = &letter->trail;
    }
    if (files == NULL) {
        letter->signing = SIGNING_KEYS_UNUSABLE;
        letter->reason = SLICE("the keys have not been read");
    } else if (bad_from != NULL && are_there_keys(files)) {
        letter->signing =
            config->bad_from == BAD_FROM_REJECT ? SIGNING_BAD_FROM : SIGNING_BAD_FROM_PASSED;
        letter->reason = slice_of(bad_from);
    } else {
        letter->signing = of_choice[key_ring_choose(&ring, letter->mime.from, clock->wall_ms(clock),
                                                    &letter->chosen)];
        letter->reason = slice_of(letter->chosen.reason);
    }
}

/* ---- what is done to the message ---- */

static bool add_edits(struct letter *letter, const struct edits *from)
{
    for (const struct edit *edit = from->first; edit != NULL; edit = edit->next)
        if (!edits_add(&letter->answer.edits, letter->arena, edit))
            return false;
    return true;
}

static bool is_forged(const struct message_header *field, struct slice authserv_id)
{
    return slice_equal_nocase(field->name, SLICE("Authentication-Results")) &&
           auth_results_is_ours(field->value, authserv_id);
}

static size_t count_forged(const struct letter *letter)
{
    struct slice authserv_id = letter_authserv_id(letter);
    size_t count = 0;

    for (size_t i = 0; i < letter->message->header_count; i++)
        count += is_forged(&letter->message->headers[i], authserv_id);
    return count;
}

/* From the last to the first, so that the positions of the others stay what they are. */
static bool remove_forged(struct letter *letter)
{
    const struct message *message = letter->message;
    struct slice name = SLICE("Authentication-Results"), authserv_id = letter_authserv_id(letter);
    size_t index = 0;

    for (size_t i = 0; letter->forged > 0 && i < message->header_count; i++)
        index += slice_equal_nocase(message->headers[i].name, name);
    for (size_t i = message->header_count; letter->forged > 0 && i-- > 0;) {
        const struct message_header *field = &message->headers[i];
        if (!slice_equal_nocase(field->name, name))
            continue;
        const struct edit edit = { .kind = EDIT_CHANGE_HEADER, .name = name, .index = index };
        index--;
        if (is_forged(field, authserv_id) &&
            !edits_add(&letter->answer.edits, letter->arena, &edit))
            return false;
    }
    return true;
}

static bool add_results(struct letter *letter)
{
    const struct message *message = letter->message;
    bool tells_login =
        message->sasl_username.len > 0 &&
        (letter->task != TASK_SIGN || letter->setup->parts.config->auth_results_of_logins);
    const struct auth_envelope envelope = { .login =
                                                tells_login ? message->sasl_username : SLICE(""),
                                            .sender = message->sender,
                                            .helo = message->client.helo };
    AUTO_BUF text = BUF_INIT(AUTH_FIELD_MAX + 1024);
    struct auth_result *results;
    size_t count;

    if (letter->task == TASK_NONE || (letter->task == TASK_SIGN && !tells_login))
        return true;
    if (!results_list(letter->is_verified ? &letter->results : NULL, &envelope, letter->arena,
                      &results, &count))
        return false;
    /* Results that do not fit are left out; what is there is well-formed. */
    auth_results_print(&text, letter_authserv_id(letter), results, count);
    return edits_add(&letter->answer.edits, letter->arena,
                     &(struct edit){ .kind = EDIT_INSERT_HEADER,
                                     .name = SLICE("Authentication-Results"),
                                     .text = buf_slice(&text) });
}

/* The message with the header fields that rules add, which a signature must know. */
static bool view_make(const struct letter *letter, struct message *view)
{
    const struct message *message = letter->message;
    size_t count = message->header_count;
    struct message_header *headers =
        arena_alloc_array(letter->arena, count + letter->rules.edits.count + 1, sizeof *headers);

    if (headers == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        headers[i] = message->headers[i];
    for (const struct edit *edit = letter->rules.edits.first; edit != NULL; edit = edit->next) {
        struct slice value = arena_printf(
            letter->arena, "%s%.*s", message->has_leading_space ? " " : "", SLICE_ARG(edit->text));
        if (value.ptr == NULL)
            return false;
        headers[count++] = (struct message_header){ .name = edit->name, .value = value };
    }
    *view = (struct message){ .headers = headers,
                              .header_count = count,
                              .has_leading_space = message->has_leading_space,
                              .body = message->body };
    return true;
}

/* False: out of memory. That it cannot be signed is in `signing`. */
static bool sign(struct letter *letter)
{
    const struct clock *clock = worker_clock(letter->worker);
    struct message view;
    const char *error;
    enum seal_result result;

    if (letter->signing != SIGNING_DONE)
        return true;
    if (!view_make(letter, &view))
        return false;
    result = seal(&view, &letter->chosen, setup_sign(letter->setup, letter->chosen.domain),
                  clock->wall_ms(clock) / SECOND, letter->arena, &letter->answer.edits, &error);
    if (result == SEAL_DONE)
        return true;
    letter->signing = result == SEAL_REFUSED ? SIGNING_IMPOSSIBLE : SIGNING_FAILED;
    letter->reason = slice_of(error);
    return true;
}

static bool edit(struct letter *letter)
{
    struct slice why = letter->rules.reason.len > 0 ? letter->rules.reason : letter->rules.rule;
    const struct edit hold = { .kind = EDIT_HOLD, .text = why };

    return remove_forged(letter) && add_edits(letter, &letter->rules.edits) &&
           add_results(letter) && sign(letter) &&
           (letter->rules.fate != FATE_HOLD ||
            edits_add(&letter->answer.edits, letter->arena, &hold));
}

/* ---- the answer ---- */

static void refuse(struct letter *letter, enum fate fate, unsigned code, const char *enhanced,
                   const char *text)
{
    letter->answer.fate = fate;
    letter->answer.reply = (struct reply){ code, slice_of(enhanced), slice_of(text) };
}

/* Mail that is to be signed and cannot be. */
static void judge_signing(struct letter *letter)
{
    struct slice why;

    switch (letter->signing) {
    case SIGNING_BAD_FROM:
        refuse(letter, FATE_REJECT, 550, "5.6.0",
               "A message must have one From: field with a mailbox to be signed");
        break;
    case SIGNING_IMPOSSIBLE:
        refuse(letter, FATE_REJECT, 550, "5.6.0", "Message cannot be signed");
        why = arena_printf(letter->arena, "Message cannot be signed, %.*s",
                           SLICE_ARG(letter->reason));
        if (why.ptr != NULL)
            letter->answer.reply.text = why;
        break;
    case SIGNING_KEYS_UNUSABLE:
    case SIGNING_FAILED:
        refuse(letter, FATE_TEMPFAIL, 451, "4.7.5",
               "Message cannot be signed now, try again later");
        break;
    case SIGNING_NOT_WANTED:
    case SIGNING_DONE:
    case SIGNING_NO_KEYS:
    case SIGNING_BAD_FROM_PASSED:
    case SIGNINGS:
        break;
    }
}

/* ", ref=abc" at the end of a refusal; the text gives way. */
static bool sign_reply(struct letter *letter)
{
    struct reply *reply = &letter->answer.reply;

    if (letter->answer.fate != FATE_REJECT && letter->answer.fate != FATE_TEMPFAIL)
        return true;
    reply->text =
        arena_printf(letter->arena, "%.*s, ref=%s",
                     SLICE_ARG(slice_part(reply->text, 0, REPLY_TEXT_MAX)), letter->reference);
    return reply->text.ptr != NULL;
}

static bool is_refused(const struct letter *letter)
{
    return letter->answer.fate != FATE_ACCEPT && letter->answer.fate != FATE_HOLD;
}

static bool answer_make(struct letter *letter)
{
    letter->answer.fate = letter->rules.fate;
    letter->answer.reply = letter->rules.reply;
    if (is_refused(letter))
        return true;
    letter->forged = count_forged(letter);
    if (letter->forged > FORGED_MAX) {
        letter->reason = SLICE("too many forged Authentication-Results");
        refuse(letter, FATE_REJECT, 550, "5.7.1",
               "Too many Authentication-Results fields that claim to be ours");
        return true;
    }
    judge_signing(letter);
    if (is_refused(letter))
        return true;
    if (!edit(letter))
        return false;
    judge_signing(letter);
    return true;
}

bool letter_conclude(struct letter *letter)
{
    reference_make(letter->reference, letter->is_explained);
    edits_init(&letter->answer.edits);
    edits_init(&letter->told.edits);
    if (!answer_make(letter) || !sign_reply(letter))
        return false;
    if (is_refused(letter) && letter->signing == SIGNING_DONE)
        letter->signing = SIGNING_NOT_WANTED; /* nobody gets it */
    if (letter->setup->parts.core.is_shadow)
        letter->told.fate = FATE_ACCEPT;
    else
        letter->told = letter->answer;
    return true;
}
