/* contentd/scanners/icap_answer.c - see icap_answer.h. */
#include "contentd/scanners/icap_answer.h"

#include "contentd/scanners/wanted.h"

enum { NAME_MAX_BYTES = 200, ISTAG_MAX = 64 };

static const char unnamed[] = "unnamed";

/* "Type=0; Resolution=2; Threat=Eicar-Test-Signature;" */
static struct slice infection_name(struct slice value)
{
    struct slice item, key;

    while (slice_next(&value, ';', &item)) {
        if (slice_cut(&item, '=', &key) && slice_equal_nocase(slice_trim(key), SLICE("Threat")))
            return item;
    }
    return SLICE("");
}

/* "1", then for each a line with the file, the threat, a number and what was done. A count of 0 is no violation. */
static struct slice violation_name(struct slice value)
{
    struct slice line;
    uint64_t count;

    if (slice_next(&value, '\n', &line) && slice_to_u64(line, &count) && count == 0)
        return (struct slice){ NULL, 0 };
    if (slice_next(&value, '\n', &line) && slice_next(&value, '\n', &line))
        return line;
    return SLICE("");
}

static struct slice virus_name(const struct http_head *head)
{
    struct slice value;

    if (http_head_get(head, SLICE("X-Infection-Found"), &value) > 0)
        return infection_name(value);
    if (http_head_get(head, SLICE("X-Virus-ID"), &value) > 0)
        return value;
    if (http_head_get(head, SLICE("X-Violations-Found"), &value) > 0)
        return violation_name(value);
    return (struct slice){ NULL, 0 };
}

/* "res-hdr=0, res-body=222" of an answer to RESPMOD (RFC 3507 4.4.1): the HTTP head begins at 0, where the body begins it
 * ends. */
static bool read_encapsulated(struct slice list, struct icap_answer *answer)
{
    struct slice item, name;
    uint64_t offset;
    bool has_head = false, has_end = false;

    while (slice_next(&list, ',', &item)) {
        if (has_end || !slice_cut(&item, '=', &name) || !slice_to_u64(item, &offset) ||
            offset > HTTP_HEAD_MAX)
            return false;
        if (slice_equal_nocase(name, SLICE("res-hdr")) && !has_head && offset == 0) {
            has_head = true;
            continue;
        }
        answer->has_body = slice_equal_nocase(name, SLICE("res-body"));
        if (!answer->has_body && !slice_equal_nocase(name, SLICE("null-body")))
            return false;
        answer->http_length = (size_t)offset;
        has_end = true;
    }
    return has_end && has_head == (answer->http_length > 0);
}

static enum wire_state bad(const char **error, const char *why)
{
    *error = why;
    return WIRE_BAD;
}

static enum wire_state bad_status(const struct http_head *head, struct arena *arena,
                                  const char **error)
{
    struct slice reason = wanted_line(arena, head->reason, NAME_MAX_BYTES);
    struct slice text = arena_printf(arena, "answers %u %.*s", head->status, SLICE_ARG(reason));

    return bad(error, text.ptr != NULL ? text.ptr : "answers with an error");
}

/* The ICAP head is whole: what follows it? */
static enum wire_state judge_head(struct icap_answer *answer, const struct http_head *head,
                                  struct arena *arena, const char **error)
{
    struct slice encapsulated, name = virus_name(head);
    size_t lists = http_head_get(head, SLICE("Encapsulated"), &encapsulated);

    if (head->status == 100 && ++answer->continues <= ICAP_CONTINUES_MOST)
        return WIRE_MORE;
    if (head->status != 200 && head->status != 204)
        return bad_status(head, arena, error);
    answer->status = head->status;
    (void)http_head_get(head, SLICE("ISTag"), &answer->istag);
    answer->istag = wanted_line(arena, answer->istag, ISTAG_MAX);
    if (name.ptr != NULL) {
        answer->virus = wanted_line(arena, name, NAME_MAX_BYTES);
        if (answer->virus.len == 0)
            answer->virus = slice_of(unnamed);
        answer->state = ICAP_END;
        return WIRE_DONE;
    }
    if (lists > 1 || (lists == 1 && !read_encapsulated(encapsulated, answer)) ||
        (head->status == 200) != (answer->http_length > 0) ||
        (head->status == 204 && answer->has_body))
        return bad(error, "does not say what its answer contains");
    answer->state = head->status == 204 ? ICAP_END : ICAP_HTTP_HEAD;
    return head->status == 204 ? WIRE_DONE : WIRE_MORE;
}

static enum wire_state read_head(struct icap_answer *answer, struct arena *arena, struct slice in,
                                 size_t *used, const char **error)
{
    struct http_head head;
    enum wire_state state = http_head_parse(in, SLICE("ICAP/1."), &head, used);

    if (state == WIRE_BAD)
        return bad(error, "does not answer with ICAP");
    return state == WIRE_DONE ? judge_head(answer, &head, arena, error) : WIRE_MORE;
}

static enum wire_state read_http_head(struct icap_answer *answer, struct slice in, size_t *used,
                                      const char **error)
{
    struct http_head head;
    size_t length = 0;

    if (in.len < answer->http_length)
        return WIRE_MORE;
    in.len = answer->http_length;
    if (http_head_parse(in, SLICE("HTTP/1."), &head, &length) != WIRE_DONE || length != in.len)
        return bad(error, "encapsulates no HTTP head of the length that it says");
    *used = length;
    answer->http_status = head.status;
    answer->state = answer->has_body ? ICAP_BODY : ICAP_END;
    return answer->has_body ? WIRE_MORE : WIRE_DONE;
}

enum wire_state icap_answer_read(struct icap_answer *answer, struct arena *arena, struct slice in,
                                 size_t *used, struct slice *body, const char **error)
{
    enum wire_state state;

    *used = 0;
    *body = (struct slice){ in.ptr, 0 };
    switch (answer->state) {
    case ICAP_HEAD:
        return read_head(answer, arena, in, used, error);
    case ICAP_HTTP_HEAD:
        return read_http_head(answer, in, used, error);
    case ICAP_BODY:
        state = chunk_read(&answer->chunks, in, body, used);
        if (state == WIRE_DONE)
            answer->state = ICAP_END;
        return state == WIRE_BAD ? bad(error, "sends content in chunks that are none") : state;
    case ICAP_END:
        break;
    }
    return WIRE_DONE;
}

void icap_answer_finding(const struct icap_answer *answer, bool is_same, struct finding *finding)
{
    bool is_clean =
        answer->virus.ptr == NULL &&
        (answer->status == 204 || (answer->http_status == 200 && answer->has_body && is_same));

    finding->result = is_clean ? FINDING_CLEAN : FINDING_VIRUS;
    if (!is_clean)
        finding->virus = answer->virus.ptr != NULL ? answer->virus : slice_of(unnamed);
}
