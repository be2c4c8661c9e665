/* tests/unit/mime/test_mime.c - what rules are told of a message's content, nasty ones too. */
#include "common/mime/mime.h"

#include <pthread.h>

#include "common/mime/mime_walk.h"
#include "tests/fakes/mail_message.h"
#include "tests/unit/unit.h"

enum { ARENA = 64 << 20 };

struct reading {
    struct message *message;
    struct arena *arena;
    struct mime_facts facts;
    int rc;
};

static void read_slice(struct reading *reading, struct slice text)
{
    reading->message = mail_message_new(text, "you@example.org");
    reading->arena = arena_new(ARENA);
    assert_non_null(reading->message);
    reading->rc =
        mime_read(reading->message, MIME_HEADERS | MIME_STRUCTURE, reading->arena, &reading->facts);
}

static void read_text(struct reading *reading, const char *text)
{
    read_slice(reading, slice_of(text));
}

static void reading_free(struct reading *reading)
{
    message_unref(&reading->message);
    arena_free(&reading->arena);
}

static void put_text(struct buf *out, struct slice text)
{
    if (text.ptr == NULL)
        buf_put(out, "-");
    buf_add(out, text);
}

/* "from=... domain=... ..." of what there is. */
static const char *headers_of(const struct mime_facts *facts, struct buf *out)
{
    const struct {
        const char *name;
        struct slice text;
    } members[] = {
        { "from", facts->from },
        { "name", facts->from_name },
        { "fake", facts->from_name_address },
        { "reply", facts->reply_to },
        { "subject", facts->subject },
        { "id", facts->message_id },
    };

    buf_clear(out);
    buf_printf(out, "%zu", facts->from_count);
    for (size_t i = 0; i < COUNT(members); i++)
        if (members[i].text.ptr != NULL)
            buf_printf(out, " %s=%.*s", members[i].name, SLICE_ARG(members[i].text));
    return buf_text(out);
}

/* "name.ext|othername type size; ..." */
static const char *attachments_of(const struct mime_facts *facts, struct buf *out)
{
    buf_clear(out);
    for (const struct mime_attachment *one = facts->attachments; one != NULL; one = one->next) {
        if (out->len > 0)
            buf_put(out, "; ");
        put_text(out, one->name[0]);
        if (one->extension[0].ptr != NULL)
            buf_printf(out, " .%.*s", SLICE_ARG(one->extension[0]));
        for (size_t i = 1; i < MIME_NAMES_MAX && one->name[i].ptr != NULL; i++)
            buf_printf(out, " |%.*s", SLICE_ARG(one->name[i]));
        buf_printf(out, " %.*s %llu", SLICE_ARG(one->type), (unsigned long long)one->size);
    }
    return buf_text(out);
}

static void reads_header_fields(UNUSED void **state)
{
    static const struct {
        const char *head, *want;
    } cases[] = {
        { "From: a@Example.COM\n", "1 from=a@example.com" },
        { "From: \"Ann Bee\" <a@x.example>\nSubject: Hi\n there\n",
          "1 from=a@x.example name=Ann Bee subject=Hi there" },
        { "From: =?utf-8?q?J=C3=BCrgen?= <j@x.example>\n", "1 from=j@x.example name=Jürgen" },
        { "From: =?iso-8859-1?b?SvxyZ2Vu?= <j@x.example>\n", "1 from=j@x.example name=Jürgen" },
        { "Subject: =?utf-8?b?R8OkcnRl?= =?utf-8?b?bg==?=\n", "0 subject=Gärten" },
        { "Subject: J\xfcrgen\n", "0 subject=Jürgen" },
        { "Subject: =?x-unknown?b?////?= x\n", NULL },
        { "Subject: one\nSubject: two\n", "0 subject=one" },
        { "Message-ID: <abc@x.example>\nReply-To: Re <R@X.example>, s@x.example\n",
          "0 reply=r@x.example id=abc@x.example" },
        { "Subject: a\x01"
          "b\x7f"
          "c\n",
          "0 subject=a b c" },
        /* several authors */
        { "From: a@x.example, b@y.example\n", "2 from=a@x.example" },
        { "From: a@x.example\nFrom: b@y.example\n", "2 from=a@x.example" },
        { "From: a@x.example\nFrom : b@y.example\n", "2 from=a@x.example" },
        { "From\t : a@x.example\nSubject : Hi\n", "1 from=a@x.example subject=Hi" },
        { "From: \n", "1" },
        { "From: a@x.example; b@y.example\n", "2 from=a@x.example" },
        { "From: \"a;b\" <a@x.example> (c;d);\n", "1 from=a@x.example name=a;b" },
        { "From: team: a@x.example;, b@y.example\n", "2 from=a@x.example name=team" },
        { "From: team: a@x.example, b@x.example;\n", "2 from=a@x.example name=team" },
        { "fRoM: a@x.example\n", "1 from=a@x.example" },
        /* display names that claim another address */
        { "From: \"boss@bank.example\" <evil@x.example>\n",
          "1 from=evil@x.example name=boss@bank.example fake=boss@bank.example" },
        { "From: \"The Boss (boss@Bank.example.)\" <evil@x.example>\n",
          "1 from=evil@x.example name=The Boss (boss@Bank.example.) fake=boss@bank.example" },
        { "From: =?utf-8?q?boss=40bank=2Eexample?= <evil@x.example>\n",
          "1 from=evil@x.example name=boss@bank.example fake=boss@bank.example" },
        { "From: \"a@x.example\" <A@x.example>\n", "1 from=a@x.example name=a@x.example" },
        { "From: \"me @ home\" <a@x.example>\n", "1 from=a@x.example name=me @ home" },
        { "From: \"boss\xef\xbc\xa0"
          "bank.example\" <evil@x.example>\n",
          "1 from=evil@x.example name=boss\xef\xbc\xa0"
          "bank.example fake=boss@bank.example" },
        { "From: \"boss@bank.example\": evil@x.example;\n",
          "1 from=evil@x.example name=boss@bank.example fake=boss@bank.example" },
        /* no mailbox, but mail programs show one */
        { "From: =?utf-8?q?boss=40bank.example?=\n",
          "1 name=boss@bank.example fake=boss@bank.example" },
        { "From: Boss <=?utf-8?q?boss=40bank.example?=>\n",
          "1 name=boss@bank.example fake=boss@bank.example" },
        { "From: the boss@bank.example\n", "1 name=the boss@bank.example fake=boss@bank.example" },
        /* a comment that does not end: the address counts (and GMime would lose its memory: the sanitizer build tells) */
        { "From: a@[192.0.2.1](\n", "1 from=a@[192.0.2.1]" },
        { "From: a@x.example (b\n", "1 from=a@x.example name=b" },
        { "From: a@x.example (b\\\n", "1 from=a@x.example name=b" },
        { "From: a@x.example, b@y.example ((c) \\)\n", "2 from=a@x.example" },
        { "From: \"sad :(\" <a@x.example>\n", "1 from=a@x.example name=sad :(" },
        { "From: undisclosed:;\n", "1 name=undisclosed:;" },
        { "From: Boss <>\n", "1 name=Boss <>" },
        /* within quotes and comments a semicolon separates nothing, whatever is escaped there */
        { "From: \"a\\\"b;c\" <a@x.example>\n", "1 from=a@x.example name=a\"b;c" },
        { "From: \"a(b\" <a@x.example>; \"c)d\" <b@x.example>\n", "2 from=a@x.example name=a(b" },
        /* no encoded words */
        { "From: a=b@x.example\n", "1 from=a=b@x.example" },
        { "From: a?b@x.example\n", "1 from=a?b@x.example" },
        { "From: \"@bank.example\" <a@x.example>\n", "1 from=a@x.example name=@bank.example" },
        { "Message-ID: <a\n", "0 id=<a" },
        { "Message-ID: a>\n", "0 id=a>" },
        { "Message-ID: <>\n", "0 id=" },
        { "", "0" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(10000);
        struct reading reading;
        read_text(&reading, cases[i].head);
        assert_int_equal(0, reading.rc);
        struct slice from = reading.facts.from;
        assert_true(
            slice_equal(reading.facts.from_domain, slice_skip(from, slice_rfind(from, '@') + 1)));
        headers_of(&reading.facts, &out);
        if (cases[i].want != NULL && strcmp(cases[i].want, buf_text(&out)) != 0)
            fail_msg("%s: %s", cases[i].head, buf_text(&out));
        reading_free(&reading);
    }
}

static void counts_mailboxes_behind_comments(UNUSED void **state)
{
    static const struct {
        const char *head;
        size_t count;
    } cases[] = {
        { "From: (a\\);b) a@x.example\n", 1 },
        { "From: (a (b;) c;) a@x.example\n", 1 },
        { "From: (a (b;) c;) a@x.example; b@x.example\n", 2 },
        { "From: (\";) a@x.example; b@x.example\n", 2 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reading reading;
        read_text(&reading, cases[i].head);
        if (reading.facts.from_count != cases[i].count)
            fail_msg("%s: %zu", cases[i].head, reading.facts.from_count);
        assert_slice("a@x.example", reading.facts.from);
        reading_free(&reading);
    }
}

/* The name of a type has no case: MULTIPART hides nothing. */
static void types_have_no_case(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(1000);
    struct reading reading;

    read_text(&reading,
              "content-type: MULTIPART/Mixed; BOUNDARY=b\n\n--b\nCONTENT-TYPE: Application/X-EXE; "
              "NAME=x.EXE\n\n1\n--b--\n");
    assert_string_equal("x.EXE .exe application/x-exe 1", attachments_of(&reading.facts, &out));
    assert_int_equal(1, reading.facts.depth);
    reading_free(&reading);
}

/* Not in the middle of a character. */
static void a_long_text_ends_with_a_whole_character(UNUSED void **state)
{
    for (size_t before = MIME_NAME_MAX - 4; before <= MIME_NAME_MAX; before++) {
        AUTO_BUF text = BUF_INIT(10000);
        struct reading reading;
        buf_put(&text, "Subject:");
        for (size_t i = 0; i < before; i++)
            buf_put_char(&text, 'a');
        buf_put(&text, "\xe2\x82\xac\xe2\x82\xac\n");
        read_slice(&reading, buf_slice(&text));
        struct slice subject = reading.facts.subject;
        assert_int_equal(before + (MIME_NAME_MAX - before) / 3 * 3, subject.len);
        reading_free(&reading);
    }
}

static void reads_dates_and_counts_hops(UNUSED void **state)
{
    struct reading reading;

    read_text(&reading, "Received: a\nReceived: b\nDate: Thu, 01 Jan 1970 01:00:10 +0100\n\nx");
    assert_int_equal(10, reading.facts.date_s);
    assert_int_equal(2, reading.facts.received_count);
    reading_free(&reading);
    read_text(&reading, "Date: soon\n\nx");
    assert_int_equal(0, reading.facts.date_s);
    reading_free(&reading);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"
#define EXE "Content-Type: application/x-exe\nContent-Disposition: attachment; "

static void lists_attachments(UNUSED void **state)
{
    static const struct {
        const char *what, *text, *want;
    } cases[] = {
        { "text alone", "Subject: x\n\nhello\n", "" },
        { "the message itself", "Content-Type: application/pdf; name=a.PDF\n\n1234",
          "a.PDF .pdf application/pdf 4" },
        { "two parts", MIXED "--b\n\ntext\n--b\n" EXE "filename=\"x.exe\"\n\n12345\n--b--\n",
          "x.exe .exe application/x-exe 5" },
        { "CRLF", MIXED "--b\r\n" EXE "filename=x.exe\r\n\r\n123\r\n45\r\n--b--\r\n",
          "x.exe .exe application/x-exe 7" },
        { "base64",
          MIXED "--b\n" EXE "filename=x\nContent-Transfer-Encoding: BASE64\n\nQUJD\nREU=\n--b--\n",
          "x application/x-exe 5" },
        { "quoted-printable",
          MIXED "--b\n" EXE "filename=x\nContent-Transfer-Encoding: quoted-printable\n\n"
                "=41=42=\nC\n\n--b--\n",
          "x application/x-exe 4" },
        { "RFC 2231", MIXED "--b\n" EXE "filename*=utf-8''%C3%A4.exe\n\n1\n--b--",
          "ä.exe .exe application/x-exe 1" },
        { "RFC 2231 in pieces",
          MIXED "--b\n" EXE "filename*0=\"invoice.p\"; filename*1=\"df.exe\"\n\n1\n--b--",
          "invoice.pdf.exe .exe application/x-exe 1" },
        { "RFC 2047 in a parameter",
          MIXED "--b\n" EXE "filename=\"=?utf-8?b?w6QuZXhl?=\"\n\n1\n--b--",
          "ä.exe .exe application/x-exe 1" },
        { "folded",
          MIXED "--b\nContent-Disposition: attachment;\n\tfilename=\"a\n b.exe\"\n\n1\n--b--",
          "a b.exe .exe text/plain 1" },
        { "directories", MIXED "--b\n" EXE "filename=\"..\\\\..\\\\c:/x.exe\"\n\n1\n--b--",
          "x.exe .exe application/x-exe 1" },
        { "dots and blanks at the end", MIXED "--b\n" EXE "filename=\"x.exe. . \"\n\n1\n--b--",
          "x.exe .exe application/x-exe 1" },
        { "two names",
          MIXED "--b\nContent-Type: text/plain; name=b.exe\nContent-Disposition: inline; "
                "filename=a.txt\n\n1\n--b--",
          "a.txt .txt |b.exe text/plain 1" },
        { "no name, no text", MIXED "--b\nContent-Type: image/png\n\n1\n--b--", "- image/png 1" },
        { "attached text", MIXED "--b\nContent-Disposition: attachment\n\n1\n--b--",
          "- text/plain 1" },
        { "in one another",
          MIXED "--b\nContent-Type: multipart/alternative; boundary=\"bb\"\n\n--bb\n\nt\n--bb\n" EXE
                "filename=in.exe\n\n1\n--bb--\n--b\n" EXE "filename=out.exe\n\n22\n--b--\n",
          "in.exe .exe application/x-exe 1; out.exe .exe application/x-exe 2" },
        { "a message in it",
          MIXED "--b\nContent-Type: message/rfc822; name=m.eml\n\nSubject: in\n" EXE
                "filename=x.exe\n\n333\n--b--\n",
          "m.eml .eml message/rfc822 0; x.exe .exe application/x-exe 3" },
        { "a digest",
          "Content-Type: multipart/digest; boundary=b\n\n--b\n\n" EXE "filename=x.exe\n\n1\n--b--",
          "- message/rfc822 0; x.exe .exe application/x-exe 1" },
        { "what looks like a boundary", MIXED "--b\n" EXE "filename=x\n\n--bx\n--c\n -- b\n--b--\n",
          "x application/x-exe 14" },
        { "in the preamble",
          MIXED EXE "filename=no.exe\n\n--b\n\ntext\n--b--\n" EXE "filename=after.exe\n\n1\n", "" },
        { "a boundary that looks encoded",
          "Content-Type: multipart/mixed; boundary=\"=?utf-8?q?b?=\"\n\n--=?utf-8?q?b?=\n" EXE
          "filename=x\n\n1\n--=?utf-8?q?b?=--\n",
          "x application/x-exe 1" },
        { "a boundary with percents",
          "Content-Type: multipart/mixed; boundary=\"a%62c\"\n\n--a%62c\n" EXE
          "filename=x\n\n1\n--a%62c--\n",
          "x application/x-exe 1" },
        { "a boundary in pieces",
          "Content-Type: multipart/mixed; boundary*0=\"aa\"; boundary*1=bb\n\n--aabb\n" EXE
          "filename=x\n\n1\n--aabb--\n",
          "x application/x-exe 1" },
        { "a boundary with backslashes",
          "Content-Type: multipart/mixed; boundary=\"a\\\"b\"\n\n--a\"b\n" EXE
          "filename=x\n\n1\n--a\"b--\n",
          "x application/x-exe 1" },
        { "two boundaries",
          "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\n" EXE
          "filename=x\n\n1\n--b--\n",
          "x application/x-exe 1" },
        { "a boundary of one blank", "Content-Type: multipart/mixed; boundary=\" \"\n\n1\n", "" },
        { "a name without =", "Content-Type: application/x-exe; name\n\n1",
          "- application/x-exe 1" },
        { "a type without slash", "Content-Type: exe; name=x.exe\n\n1", "x.exe .exe text/plain 1" },
        { "no type at all", "Content-Type: ; name=x.exe\n\n1", "x.exe .exe text/plain 1" },
        { "an encoding with a comment",
          "Content-Type: a/b\nContent-Transfer-Encoding: base64 (x)\n\nQUJD\n", "- a/b 3" },
        { "two types", MIXED "--b\nContent-Type: image/png\nContent-Type: text/html\n\n1\n--b--",
          "- image/png 1" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(10000);
        struct reading reading;
        read_text(&reading, cases[i].text);
        assert_int_equal(0, reading.rc);
        attachments_of(&reading.facts, &out);
        if (strcmp(cases[i].want, buf_text(&out)) != 0)
            fail_msg("%s: %s", cases[i].what, buf_text(&out));
        assert_false(reading.facts.is_limited);
        reading_free(&reading);
    }
}

#define ONE(fields) MIXED "--b\n" fields "\n\n1\n--b--\n"
#define DISP "Content-Disposition: attachment; "

static void every_name_that_a_reader_shows_is_told(UNUSED void **state)
{
    static const struct {
        const char *fields, *want;
    } cases[] = {
        { ONE(DISP "filename=a.txt; filename*=utf-8''x.exe"), "a.txt .txt |x.exe" },
        { ONE(DISP "filename*=utf-8''a.txt; filename=\"x.exe\""), "a.txt .txt |x.exe" },
        { ONE(DISP "filename=a.txt; FILENAME=x.exe"), "a.txt .txt |x.exe" },
        { ONE(DISP "filename=a.txt; filename*0=x.; filename*1=exe"), "a.txt .txt |x.exe" },
        { ONE(DISP "name=x.exe"), "x.exe .exe" },
        { ONE("Content-Type: text/plain; filename=x.exe"), "x.exe .exe" },
        { ONE("Content-Type: text/plain; name*=utf-8''x%2Eexe"), "x.exe .exe" },
        { ONE("Content-Type: text/plain; name=a.txt; name*=utf-8''x.exe"), "a.txt .txt |x.exe" },
        { ONE(DISP "filename=a.txt\n" DISP "filename=x.exe"), "a.txt .txt |x.exe" },
        { ONE("Content-Type: text/plain; name=a.txt\nContent-Type: text/plain; name=x.exe"),
          "a.txt .txt |x.exe" },
        { ONE("Content-Disposition: attachment filename=x.exe"), "x.exe .exe" },
        { ONE("Content-Disposition: attachment, filename=x.exe"), "x.exe .exe" },
        { ONE("Content-Disposition: filename=x.exe"), "x.exe .exe" },
        { ONE(DISP "filename=\"\"; filename=x.exe"), "x.exe .exe" },
        { ONE(DISP "filename=\"a.txt\"x.exe\""), "a.txt .txt |a.txtx.exe" },
        { ONE(DISP "filename=\"x.exe::$DATA\""), "x.exe::$DATA .exe" },
        { ONE(DISP "filename=a.txt; filename=a.txt; filename*=us-ascii''a.txt"), "a.txt .txt" },
        { "Content-Type: text/plain\n\nbegin 644 x.exe\nM'\nend\n", "x.exe .exe" },
        { "Content-Type: text/plain\n\nbegin the day with x.exe\nbegin 64 x.exe\n", "" },
        { ONE("Content-Type: message/news\n\n" DISP "filename=x.exe"),
          "- message/news 0; x.exe .exe" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(10000);
        struct reading reading;
        read_text(&reading, cases[i].fields);
        assert_int_equal(0, reading.rc);
        attachments_of(&reading.facts, &out);
        if (strncmp(cases[i].want, buf_text(&out), strlen(cases[i].want)) != 0 ||
            (reading.facts.attachment_count > 0) != (cases[i].want[0] != '\0'))
            fail_msg("%s: %s", cases[i].fields, buf_text(&out));
        assert_false(reading.facts.is_limited);
        reading_free(&reading);
    }
}

#define PARTS_OF(b) "--" b "\n\ntext\n--" b "\n" EXE "filename=x.exe\n\n1\n--" b "--\n"

static void tells_what_readers_do_not_agree_on(UNUSED void **state)
{
    static const char blanks[] = "          ";
    static const struct {
        const char *what, *text;
        bool is_ambiguous, is_limited;
    } cases[] = {
        { "as it should be", MIXED PARTS_OF("b"), false, false },
        { "an end that never comes", MIXED "--b\n\ntext\n", false, false },
        { "a message that is cut",
          MIXED "--b\nContent-Type: message/rfc822\n\nSubject: s\n" MIXED "--b--\n", false, false },
        { "the inner boundary is longer",
          MIXED "--b\nContent-Type: multipart/mixed; boundary=bb\n\n" PARTS_OF("bb") "--b--\n",
          false, false },
        { "long boundaries in pieces",
          "Content-Type: multipart/mixed; boundary*0=aa; boundary*1=bb\n\n" PARTS_OF("aabb"), false,
          false },
        { "the same type twice", MIXED "--b\nContent-Type: a/b\nContent-Type: a/b\n\n1\n--b--\n",
          false, false },
        { "folded", "Content-Type: multipart/mixed;\r\n\tboundary=\"b\"\r\n\r\n" PARTS_OF("b"),
          false, false },
        { "the end twice", MIXED PARTS_OF("b") "--b--\n", false, false },
        { "more behind a boundary", MIXED "--b\n\ntext\n--bX\n" EXE "filename=x.exe\n\n1\n--b--\n",
          true, false },
        { "bare CR behind one", MIXED "--b\n\ntext\n--b\r" EXE "filename=x.exe\n\n1\n--b--\n", true,
          false },
        { "blanks without end", NULL, true, false },
        { "after the end", MIXED "--b\n\ntext\n--b--\n" PARTS_OF("b"), true, false },
        { "two boundaries",
          "Content-Type: multipart/mixed; boundary=c; boundary=b\n\n--c--\n" PARTS_OF("b"), true,
          false },
        { "a boundary in two forms",
          "Content-Type: multipart/mixed; boundary=b; boundary*=us-ascii''c\n\n" PARTS_OF("b"),
          true, false },
        { "a boundary that has no end",
          "Content-Type: multipart/mixed; boundary=\"b\n\n" PARTS_OF("b"), true, false },
        { "a boundary with a control character",
          "Content-Type: multipart/mixed; boundary=\"b\tc\"\n\n" PARTS_OF("b\tc"), true, false },
        { "a boundary after a blank", "Content-Type: multipart/mixed boundary=b\n\n" PARTS_OF("b"),
          true, false },
        { "no boundary", "Content-Type: multipart/mixed\n\n" PARTS_OF("b"), true, false },
        { "an empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n" PARTS_OF(""),
          true, false },
        { "multipart without more", "Content-Type: multipart; boundary=b\n\n" PARTS_OF("b"), true,
          false },
        { "multipart in quotes", "Content-Type: \"multipart/mixed\"; boundary=b\n\n" PARTS_OF("b"),
          true, false },
        { "two types", "Content-Type: text/plain\n" MIXED PARTS_OF("b"), true, false },
        { "two encodings",
          "Content-Type: a/b\nContent-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nQQ==\n",
          true, false },
        { "two types that differ in the charset",
          MIXED
          "--b\nContent-Type: text/html; charset=utf-8\nContent-Type: text/html\n\n1\n--b--\n",
          false, false },
        { "two encodings that change nothing",
          "Content-Type: a/b\nContent-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: 8bit\n\n1\n",
          false, false },
        { "two boundaries in two types",
          "Content-Type: multipart/mixed; boundary=c\n" MIXED PARTS_OF("b"), true, false },
        { "said to be encoded, but not", "Content-Transfer-Encoding: base64\n" MIXED PARTS_OF("b"),
          false, false },
        { "parts in quoted-printable",
          "Content-Transfer-Encoding: quoted-printable\n" MIXED "=2D-b\n" EXE
          "filename=3Dx.exe\n\n1\n=2D-b--\n",
          true, false },
        { "encoded parts within",
          MIXED
          "--b\nContent-Transfer-Encoding: base64\nContent-Type: multipart/mixed; boundary=c\n\nLS1j\n--b--\n",
          true, false },
        { "encoded parts", "Content-Transfer-Encoding: base64\n" MIXED "LS1i\n", true, false },
        { "bare CR in a part's header", MIXED "--b\nContent-Type: text/plain\rX: y\n\n1\n--b--\n",
          true, false },
        { "bare CR in the message's own field",
          "Content-Type: text/plain;\rContent-Type: multipart/mixed\n\n1\n", true, false },
        { "bare CR elsewhere", "Subject: a\rb\n\n1\n", false, false },
        { "an encoded message",
          "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nUw==\n", false,
          true },
    };
    AUTO_BUF padded = BUF_INIT(10000);

    buf_put(&padded, MIXED "--b\n\ntext\n--b");
    for (unsigned i = 0; i < 60; i++)
        buf_put(&padded, blanks);
    buf_put(&padded, "\n" EXE "filename=x.exe\n\n1\n--b--\n");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reading reading;
        read_text(&reading, cases[i].text == NULL ? buf_text(&padded) : cases[i].text);
        assert_int_equal(0, reading.rc);
        if (reading.facts.is_ambiguous != cases[i].is_ambiguous ||
            reading.facts.is_limited != cases[i].is_limited)
            fail_msg("%s: %d %d", cases[i].what, reading.facts.is_ambiguous,
                     reading.facts.is_limited);
        reading_free(&reading);
    }
}

static void the_end_of_a_long_name_counts(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(10000);
    struct reading reading;

    buf_put(&text, MIXED "--b\n" DISP "filename=\"");
    for (unsigned i = 0; i < 600; i++)
        buf_put(&text, "\xc3\xa4");
    buf_put(&text, ".exe\"\n\n1\n--b--\n");
    read_slice(&reading, buf_slice(&text));
    assert_slice("exe", reading.facts.attachments->extension[0]);
    assert_in_range(reading.facts.attachments->name[0].len, MIME_NAME_MAX - 1, MIME_NAME_MAX);
    assert_int_equal('\xc3', reading.facts.attachments->name[0].ptr[0]);
    reading_free(&reading);
}

static void tells_what_is_broken(UNUSED void **state)
{
    static const struct {
        const char *what, *text;
        bool is_broken;
        size_t parts;
    } cases[] = {
        { "plain", "Subject: x\n\nhello\n", false, 1 },
        { "whole", MIXED "--b\n\n1\n--b\n\n2\n--b--\n", false, 2 },
        { "no end", MIXED "--b\n\n1\n--b\n\n2\n", true, 2 },
        { "no boundary", "Content-Type: multipart/mixed\n\n--b\n\n1\n", true, 1 },
        { "the inner end is missing",
          MIXED "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n1\n--b\n\n2\n--b--\n",
          true, 2 },
        { "NUL in a part's header", NULL, true, 1 },
        { "a part that is only a header", MIXED "--b\nContent-Type: text/plain\n--b--\n", false,
          1 },
        { "a message in it that is only a header",
          MIXED "--b\nContent-Type: message/rfc822\n\nSubject: x\n--b--\n", true, 2 },
        { "a message in it, and a part",
          MIXED "--b\nContent-Type: message/rfc822\n\nSubject: x\n\n1\n--b\n\n2\n--b--\n", false,
          3 },
        { "two types", MIXED "--b\nContent-Type: a/b\ncontent-type: c/d\n\n1\n--b--\n", true, 1 },
        { "two encodings of the message",
          "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\n1\n", true, 1 },
        { "nothing in it", MIXED, true, 0 },
        { "no body", "Subject: x\n", false, 1 },
    };
    static const char with_nul[] = MIXED "--b\nX: \0\n\n1\n--b--\n";

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reading reading;
        read_slice(&reading, cases[i].text != NULL ? slice_of(cases[i].text) : SLICE(with_nul));
        assert_int_equal(0, reading.rc);
        if (reading.facts.is_broken != cases[i].is_broken ||
            reading.facts.part_count != cases[i].parts)
            fail_msg("%s: %d, %zu", cases[i].what, reading.facts.is_broken,
                     reading.facts.part_count);
        reading_free(&reading);
    }
}

/* A message of `n` parts, each the head `part` with its number for %u. */
static void put_many(struct buf *out, const char *begin, const char *part, unsigned n)
{
    buf_put(out, begin);
    for (unsigned i = 0; i < n; i++) {
        for (const char *c = part; *c != '\0'; c++)
            if (*c == '#')
                buf_printf(out, "%u", i);
            else
                buf_put_char(out, *c);
    }
}

static void bounds_depth(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(10 << 20);
    struct reading reading;

    put_many(&text, "Content-Type: multipart/mixed; boundary=b\n\n--b\n",
             "Content-Type: multipart/mixed; boundary=b#\n\n--b#\n", 2000);
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(0, reading.rc);
    assert_true(reading.facts.is_limited);
    assert_in_range(reading.facts.depth, MIME_DEPTH_MAX - 1, MIME_DEPTH_MAX);
    reading_free(&reading);

    buf_clear(&text);
    put_many(&text, "", "Content-Type: message/rfc822\n\n", 2000);
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(0, reading.rc);
    assert_true(reading.facts.is_limited);
    assert_in_range(reading.facts.depth, MIME_DEPTH_MAX - 1, MIME_DEPTH_MAX);
    reading_free(&reading);
}

static void bounds_the_number_of_parts(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(32 << 20);
    struct reading reading;

    put_many(&text, MIXED, "--b\n" EXE "filename=f#.exe\n\n1\n", 100000);
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(0, reading.rc);
    assert_true(reading.facts.is_limited);
    assert_int_equal(MIME_PARTS_MAX - 1, reading.facts.attachment_count);
    reading_free(&reading);
}

static void bounds_header_fields(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(12 << 20);
    struct reading reading;

    buf_put(&text, MIXED "--b\n" EXE "filename=x.exe\nX-Long: ");
    for (unsigned i = 0; i < (10 << 20) / 64; i++)
        buf_put(&text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n ");
    buf_put(&text, "\n\n1\n--b--\n");
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(0, reading.rc);
    assert_int_equal(1, reading.facts.attachment_count);
    assert_false(reading.facts.is_limited); /* no field that matters */
    reading_free(&reading);

    buf_clear(&text);
    buf_put(&text, MIXED "--b\nContent-Type: text/plain; x=\"");
    for (unsigned i = 0; i < 2000; i++)
        buf_put(&text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n ");
    buf_put(&text, "\"; name=x.exe\n\n1\n--b--\n");
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(0, reading.rc);
    assert_true(reading.facts.is_limited);
    reading_free(&reading);
}

static void put_times(struct buf *out, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        assert_int_equal(0, buf_put(out, text));
}

/* `most` of something are looked at; of one more it is said that not all was. */
static void says_what_was_not_looked_at(UNUSED void **state)
{
    static const struct {
        const char *what, *begin, *many;
        size_t most;
        const char *end;
    } cases[] = {
        { "names of a part", "Content-Disposition: attachment", "; filename=f#", MIME_NAMES_MAX,
          "\n\n1\n" },
        { "the same name", "Content-Disposition: attachment", "; filename=f", 16, "\n\n1\n" },
        { "a boundary", "Content-Type: multipart/mixed; boundary=", "b", MIME_BOUNDARY_MAX,
          "\n\ntext\n" },
        { "From fields", "", "From: a@x.example\n", MIME_ADDRESSES_MAX, "\ntext\n" },
        { "a field of a part",
          "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: inline;x=", "x",
          MIME_VALUE_MAX - 9, "\n\n1\n--b--\n" },
        { "a field of the message", "Subject:", "x", MIME_VALUE_MAX, "\n\n1\n" },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t more = 0; more < 2; more++) {
            AUTO_BUF text = BUF_INIT(1 << 20);
            struct reading reading;
            if (strchr(cases[i].many, '#') != NULL) {
                put_many(&text, cases[i].begin, cases[i].many, (unsigned)(cases[i].most + more));
            } else {
                buf_put(&text, cases[i].begin);
                put_times(&text, cases[i].many, cases[i].most + more);
            }
            buf_put(&text, cases[i].end);
            read_slice(&reading, buf_slice(&text));
            assert_int_equal(0, reading.rc);
            if (reading.facts.is_limited != (more == 1))
                fail_msg("%s: %zu", cases[i].what, cases[i].most + more);
            reading_free(&reading);
        }
}

static void says_who_the_author_is_not(UNUSED void **state)
{
    static const struct {
        const char *head, *want;
    } cases[] = {
        { "From: a@x.example\n", NULL },
        { "From: a@x.example, b@x.example\n", NULL },
        { "Subject: x\n", "no From field" },
        { "From: Boss <>\n", "no mailbox in From" },
        { "From: a@x.example\nFrom: a@x.example\n", "several From fields" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reading reading;
        read_text(&reading, cases[i].head);
        const char *got = mime_author_problem(&reading.facts);
        if ((got == NULL) != (cases[i].want == NULL) ||
            (got != NULL && strcmp(got, cases[i].want) != 0))
            fail_msg("%s: %s", cases[i].head, got == NULL ? "none" : got);
        reading_free(&reading);
    }
}

/* Groups, comments and quotes as deep as a field lets them. */
static void survives_deep_fields(UNUSED void **state)
{
    static const char *const pieces[] = {
        "a:", "(", "\"", "<", "@", ",", "=?utf-8?q?", "a@b (c) "
    };

    for (size_t i = 0; i < COUNT(pieces); i++) {
        AUTO_BUF text = BUF_INIT(1 << 20);
        struct reading reading;
        buf_put(&text, "From: ");
        while (text.len < 3 * MIME_VALUE_MAX)
            buf_put(&text, pieces[i]);
        buf_put(&text, "\n\n");
        read_slice(&reading, buf_slice(&text));
        assert_int_equal(0, reading.rc);
        assert_true(reading.facts.is_limited);
        reading_free(&reading);
    }
}

static void a_full_arena_is_a_bound(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(32 << 20);
    struct mime_facts facts;

    put_many(&text, MIXED, "--b\n" EXE "filename=f#.exe\n\n1\n", 1000);
    struct message *message = mail_message_new(buf_slice(&text), "a@b.example");
    struct arena *arena = arena_new(64 << 10);
    assert_int_equal(0, mime_read(message, MIME_STRUCTURE, arena, &facts));
    assert_true(facts.is_limited);
    assert_in_range(facts.attachment_count, 100, 999);
    assert_slice("f0.exe", facts.attachments->name[0]);
    arena_free(&arena);
    message_unref(&message);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 20);
    struct mime_facts facts;

    buf_put(&text, "From: ");
    while (text.len < 64 << 10)
        buf_put(&text, "someone@somewhere.example, ");
    buf_put(&text, "\n\n");
    struct message *message = mail_message_new(buf_slice(&text), "a@b.example");
    struct arena *arena = arena_new(10 << 10);
    assert_int_equal(-1, mime_read(message, MIME_FROM, arena, &facts));
    arena_free(&arena);
    message_unref(&message);
}

/* Large fields that say nothing must not make an attachment after them unseen. */
static void fields_of_other_parts_hide_none(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(64 << 20);
    AUTO_BUF filler = BUF_INIT(64 << 10);
    struct reading reading;

    while (filler.len < 15900)
        buf_put(&filler, "aaaaaaaaaa");
    buf_put(&text, MIXED);
    for (unsigned i = 0; i < 1500; i++)
        buf_printf(&text, "--b\nContent-Type: x; q=%s\n\n\n", buf_text(&filler));
    buf_printf(&text, "--b\nContent-Type: a/b; name=x.exe; q=%s\n\n1\n--b--\n", buf_text(&filler));
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(0, reading.rc);
    assert_false(reading.facts.is_limited);
    assert_int_equal(1, reading.facts.attachment_count);
    assert_slice("x.exe", reading.facts.attachments->name[0]);
    reading_free(&reading);
}

static void a_large_part_is_counted_to_the_byte(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(8 << 20);
    struct reading reading;

    buf_put(&text, MIXED "--b\n" EXE "filename=x\n\n");
    for (unsigned i = 0; i < 500000; i++)
        buf_put(&text, "--b-0123\n");
    buf_put(&text, "\n--b--\n");
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(500000 * 9, reading.facts.attachments->size);
    reading_free(&reading);
}

/* What a loop may read itself. */
static void knows_what_is_read_at_once(UNUSED void **state)
{
    struct message_header fields[1] = { { .name = SLICE("Subject"), .value = SLICE("hello") } };
    struct message message = { .headers = fields, .header_count = 1, .head = { "", 20000 } };

    assert_true(mime_is_quick(&message, MIME_HEADERS | MIME_FROM));
    assert_false(mime_is_quick(&message, MIME_HEADERS | MIME_STRUCTURE));
    message.head.len = 100000;
    assert_false(mime_is_quick(&message, MIME_HEADERS));
    message.head.len = 20000;
    message.header_count = 2000;
    assert_false(mime_is_quick(&message, MIME_FROM));
}

static void *read_many(UNUSED void *arg)
{
    for (unsigned i = 0; i < 200; i++) {
        struct reading reading;
        read_text(&reading,
                  "From: =?iso-2022-jp?b?GyRCRnxLXBsoQg==?= <a@x.example>\n"
                  "Subject: =?koi8-r?b?8NLJ18XU?=\nContent-Type: multipart/mixed; boundary=b\n\n"
                  "--b\nContent-Type: application/x; name*=windows-1251''%cf%f0.exe\n\n1\n--b--\n");
        if (!slice_equal(reading.facts.subject, SLICE("Привет")) ||
            !slice_equal(reading.facts.from_name, SLICE("日本")) ||
            !slice_equal(reading.facts.attachments->name[0], SLICE("Пр.exe")))
            abort();
        reading_free(&reading);
    }
    return NULL;
}

static void several_threads_decode_at_the_same_time(UNUSED void **state)
{
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, read_many, NULL));
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
}

static int init(UNUSED void **state)
{
    mime_init();
    return 0;
}

static void names_each_from_domain_once(UNUSED void **state)
{
    struct reading reading;

    read_text(&reading, "From: a@One.example, \"x\" <b@two.example>, c@one.example\nSubject: s\n"
                        "From: d@three.example\nFrom: nobody\n\n");
    assert_int_equal(3, reading.facts.from_field_count);
    assert_int_equal(5, reading.facts.from_count);
    assert_int_equal(3, reading.facts.from_domain_count);
    assert_slice("one.example", reading.facts.from_domains[0]);
    assert_slice("three.example", reading.facts.from_domains[2]);
    assert_false(reading.facts.has_more_from_domains);
    reading_free(&reading);
}

static void from_domains_beyond_the_bound_are_said_to_be_there(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(10000);
    struct reading reading;

    for (int i = 0; i <= MIME_FROM_DOMAINS_MAX; i++)
        buf_printf(&text, "From: a@d%d.example\n", i);
    buf_put(&text, "\n");
    read_slice(&reading, buf_slice(&text));
    assert_int_equal(MIME_FROM_DOMAINS_MAX, reading.facts.from_domain_count);
    assert_true(reading.facts.has_more_from_domains);
    reading_free(&reading);
}

static void from_alone_can_be_read(UNUSED void **state)
{
    struct mime_facts facts;
    struct reading reading;

    read_text(&reading, "Subject: s\nFrom: a@one.example\nReceived: x\n\n");
    assert_int_equal(0, mime_read(reading.message, MIME_FROM, reading.arena, &facts));
    assert_slice("a@one.example", facts.from);
    assert_null(facts.subject.ptr);
    assert_int_equal(0, facts.received_count);
    reading_free(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_each_from_domain_once),
        cmocka_unit_test(from_domains_beyond_the_bound_are_said_to_be_there),
        cmocka_unit_test(from_alone_can_be_read),
        cmocka_unit_test(reads_header_fields),
        cmocka_unit_test(counts_mailboxes_behind_comments),
        cmocka_unit_test(types_have_no_case),
        cmocka_unit_test(a_long_text_ends_with_a_whole_character),
        cmocka_unit_test(reads_dates_and_counts_hops),
        cmocka_unit_test(lists_attachments),
        cmocka_unit_test(tells_what_is_broken),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(bounds_the_number_of_parts),
        cmocka_unit_test(bounds_header_fields),
        cmocka_unit_test(says_what_was_not_looked_at),
        cmocka_unit_test(says_who_the_author_is_not),
        cmocka_unit_test(survives_deep_fields),
        cmocka_unit_test(a_full_arena_is_a_bound),
        cmocka_unit_test(says_when_memory_is_out),
        cmocka_unit_test(fields_of_other_parts_hide_none),
        cmocka_unit_test(every_name_that_a_reader_shows_is_told),
        cmocka_unit_test(tells_what_readers_do_not_agree_on),
        cmocka_unit_test(the_end_of_a_long_name_counts),
        cmocka_unit_test(a_large_part_is_counted_to_the_byte),
        cmocka_unit_test(knows_what_is_read_at_once),
        cmocka_unit_test(several_threads_decode_at_the_same_time),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
