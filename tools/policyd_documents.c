/* tools/policyd_documents.c - see documents.h. */
#include "tools/documents.h"

#include "policyd/manual.h"

int main(int argc, char **argv)
{
    return documents_main(&policyd_program, argc, argv);
}
